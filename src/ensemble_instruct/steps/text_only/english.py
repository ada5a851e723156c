"""How tasks in English ask for more than text, and what speaks against it: patterns for lower-case text on one line."""

from __future__ import annotations

import re

_LINKS = r"(?:of|with|without|and|or|for|to|in|into|on|at|about|as|from|by|that|which|who|is|are)"
_BETWEEN = rf"(?:(?!{_LINKS}\b)[\w'-]{{1,30}} ){{0,3}}?"
"""Up to three words before a noun that belong to it."""
_WORD = r"(?:[\w'-]{1,30} )?"
_SEEN = (
    r"(?:images?|pictures?|photos?|photographs?|pics?|snapshots?|screen ?shots?|selfies?|illustrations?|drawings?|"
    r"cartoons?|comic strips?|memes?|gifs?|infographics?|x-rays?|videos?|footage|clips?|audios?|recordings?|"
    r"(?:image|video|audio|sound|media|music|voice|photo|mp3|mp4|wav|jpe?g|png) (?:file|clip|recording|message)s?)"
)
_DRAWN = r"(?:charts?|diagrams?|flow ?charts?|histograms?|scatter ?plots?|floor plans?|blueprints?)"
_SHOWN = (
    rf"(?:{_SEEN}|{_DRAWN}|graphs?|maps?|figure|paintings?|sketch(?:es)?|portraits?|artworks?|sculptures?|posters?)"
)
_PAPERS = r"(?:files?|documents?|pdfs?|spreadsheets?|worksheets?|slides?|presentations?|attachments?)"
_VERBS = (
    r"(?:is|are|was|were|has|have|had|does|do|did|can|could|should|would|may|might|will|shows?|depicts?|represents?|"
    r"illustrates?|contains?|captures?|belongs?|looks?|makes?|tells?)"
)
_DOING = (
    r"(?:showing|depicting|representing|illustrating|containing|explaining|describing|demonstrating|introducing|using|"
    r"featuring|telling|talking|promoting|comparing|presenting|summari[sz]ing|highlighting|capturing|celebrating|"
    r"discussing|teaching)"
)
_ON = (
    r"(?:and|or|but|to|in|on|at|with|without|for|from|by|via|below|above|attached|provided|given|shown|here|that|which|"
    rf"who|where|into|as|so|then|based|before|after|carefully|closely|again|if|when|while|because|you|we|they|it|"
    rf"taken|according|there|about|i've|we've|{_VERBS}|{_DOING})"
)
_NO_NAME = rf"(?![\w-])(?:'s\b)?(?=\W*$|\s*[^\w\s]|\s{_ON}\b)"
"""After a noun: it is not the first half of another one, such as "picture book"."""
_NO_NAME_OF = rf"(?![\w-])(?:'s\b)?(?=\W*$|\s*[^\w\s]|\s(?:of|{_ON})\b)"
"""The same; and what it shows may be said."""
_HEADS = (
    r"(?:books?|frames?|files?|processing|edit\w+|galler\w+|caption\w*|descriptions?|albums?|formats?|data\w*|industry|of|"
    r"sections?|classif\w+|recogni\w+|sharing|shoots?|studios?|librar\w+|tags?|urls?|viewers?|essays?|stor\w+|prompts?|"
    r"dictionar\w+|windows?|quality|search\w*|generat\w+|models?|fields?|sizes?|resolutions?|layers?|elements?|analysis|"
    r"attributes?|titles?|names?|compression|segmentation|banks?|credits?|contests?|competitions?|sessions?|booths?|"
    r"journalis\w+|schemas?|texts?|sensors?|posts?|layouts?|folders?|paths?|components?|class\w*|arrays?|games?|gaming|"
    r"cameras?|calls?|conferenc\w+|content|channels?|platforms?|cards?|streaming|technolog\w+|arts?)"
)
_PICTURE = r"(?:images?|pictures?|photos?|photographs?|screenshots?|videos?|paintings?)"
_SNAP = r"(?:pictures?|photos?|photographs?|screenshots?|images)"
_ALONE = rf"(?![\w-])(?! {_HEADS}\b)"
"""After a picture, which is the first half of few names: it is none of these."""
_ENDS = (
    r"(?![\w-])(?=\W*$|\s*[.,;:!?)]|\s(?:and|carefully|closely|briefly|below|above|using|by|aloud|so|"
    r"in (?:detail|one|two|three|four|five|an?|your|about|under|simple|plain|full|english|\d+)|"
    r"to (?:answer|complete|explain|find|identify|name|determine|solve|describe|tell))\b)"
)
"""After a noun: so far goes the object of a verb."""
_TO_WATCH = (
    r"(?:videos?|clips?|movies?|films?|documentar(?:y|ies)|trailers?|episodes?|lectures?|footage|commercials?|"
    r"ted talks?)"
)
_TO_HEAR = r"(?:audios?|songs?|recordings?|podcasts?|clips?|music|melod(?:y|ies)|tracks?|sounds?|tunes?)"
_THE = r"(?:the|this|that|these|those|your|my|our|each|both)"
_HERE = (
    r"(?:(?:below|above|here|attached|enclosed)(?!-| (?:the|an?|zero|average|[xy]|\d+)\b)|"
    r"(?:displayed|shown)(?! (?:to|by|when|as)\b)|on the (?:right|left)|i (?:sent|attached|uploaded|shared)|"
    r"you (?:see|are (?:seeing|looking at)))\b"
)
_CLAUSE = (
    r"(?:^|[.!?;] [\"'(]?|\b(?:please|kindly) |\b(?:can|could|would|will) you (?:please |kindly )?|"
    r"\bi(?:'d| would)? (?:want|like|need) you to |\byou (?:must|should|need to|have to|will|are to) |"
    r"\byour (?:task|job|assignment) is to |^(?:okay|ok|hey|hi|hello|step \d+),? )"
    r"(?:(?:now|then|next|first|finally|also|just|quickly|try to|let's),? ){0,2}"
)
"""Where an order may begin: only there is "draw" one, for "how to draw" asks for words."""

_POINTS = [
    rf"{_THE} {_BETWEEN}(?:{_SEEN}|{_DRAWN}|graphs?|maps?|paintings?|pdfs?) (?:that is |as |are |is )?{_HERE}",
    rf"(?:in|see|from|on|to|using) (?:the|this) (?:given |following )?figure(?: {_HERE}|(?=\W*$|[.,;:?!]))",
    r"the figure shown\b",
    rf"the (?:following|displayed|shown|depicted|pictured|above|below) {_BETWEEN}"
    rf"(?:{_SEEN}|{_DRAWN}|maps?|paintings?|pdfs?){_NO_NAME_OF}",
    rf"(?:{_SEEN}|{_DRAWN}|graphs?|maps?) (?:shown|displayed|depicted|pictured|attached) (?:below|above|here)\b",
    r"(?:here|this)(?:'s| is| are) (?:an?|my|the|our|some|two|three|\d) "
    rf"{_BETWEEN}(?:{_SEEN}|{_DRAWN}){_NO_NAME_OF}",
    r"(?:look(?:ing)?|glance|gaze|stare) (?:closely |carefully )?(?:at|over|through) "
    rf"{_THE} {_BETWEEN}{_SHOWN}{_NO_NAME_OF}",
    r"watch(?:ing)? (?:this|these|the following|the attached) "
    rf"{_BETWEEN}{_TO_WATCH}\b",
    r"listen(?:ing)? (?:carefully )?to (?:this|these|the following|the attached|the) "
    rf"{_BETWEEN}(?:{_TO_HEAR}|interviews?|conversations?|dialogues?|speech)\b",
    r"transcrib(?:e|ing) (?:the|this|an?|my) (?:following |attached |given )?"
    r"(?:audio|recordings?|videos?|podcasts?|voice|speech|interview|phone call|meeting)\b",
]
_PLACEHOLDER = (
    r"\[(?:insert |attached |see )?(?:an? |the )?"
    r"(?:image|picture|photo|video|audio|attachment)(?: here| \d{1,3}|:[^\]]{0,99})?\]|"
    r"<(?:image|picture|photo|video|audio)(?: ?\d{1,3})?>(?!\s?(?:tags?|elements?)\b)"
)
_NAMES = [
    r"(?:the|this|that|these|those|your|my|our|see|in|from|an?) (?:\w{1,30} )?"
    rf"(?:attached|uploaded|enclosed|accompanying) {_BETWEEN}(?:{_SHOWN}|{_PAPERS}){_NO_NAME_OF}",
    r"(?:the|this|these|those|my|our) attached [a-z]",
    rf"{_THE} {_BETWEEN}{_PAPERS} (?:that (?:is|are) )?(?:attached|enclosed|i (?:attached|uploaded|sent))\b",
    r"(?:i|we)(?:'[a-z]{1,2}| have| am| are| will)? (?:just |also )?"
    r"(?:(?:attach|upload|enclos|shar)(?:ed|ing)|sent|sending) (?:you )?(?:an?|the|my|our|some|two|\d) "
    rf"{_BETWEEN}(?:{_SHOWN}|{_PAPERS})\b",
    r"(?:the attachments?|^see attached)\b",
    rf"attached (?:is|are) (?:an?|the|my) {_BETWEEN}(?:{_SHOWN}|{_PAPERS})\b",
    rf"(?:in|on|from|within|behind) (?:the|those|each|both) {_WORD}"
    rf"(?:(?:{_SEEN}|{_DRAWN}){_NO_NAME}|{_PICTURE}{_ALONE})",
    r"(?:shown|displayed|depicted|presented|represented|seen|illustrated|marked) (?:in|on|by) (?:the|this) "
    rf"{_WORD}(?:{_DRAWN}|graph|map|figure){_NO_NAME}",
    rf"(?:which|each|one|some|all|both|any|none) of (?:the|these|those) {_WORD}{_SEEN}{_NO_NAME}",
    rf"(?:choose|select|pick|circle|click) the {_WORD}{_SEEN} (?:that|which|with|of)\b",
    rf"(?:the|each|that|those|both) (?:two |three |correct |right |first |second )?{_SNAP}{_ENDS}",
    r"(?:slope|trend|curve|axis|axes|bars?|peak|intercepts?)\b.{0,40}\b(?:in|on|of|from) the graph\b(?! of)",
    rf"match .{{1,60}} (?:to|with) (?:the|their) (?:{_SEEN}|diagrams?){_ENDS}",
    r"(?:contents?|subject|background|foreground|mood|title|captions?|descriptions?|hashtags?|alt text|tags?|labels?|"
    r"colou?rs?|rest|top|bottom|left|right|cent(?:er|re)|side|part|summary|transcript) "
    rf"(?:of|for|to) {_THE} (?:given |provided )?(?:{_SEEN}|{_DRAWN}){_ENDS}",
    rf"(?:this|these) {_WORD}(?:(?:{_SEEN}|{_DRAWN}|graphs?|maps?|paintings?){_NO_NAME}|{_PICTURE}{_ALONE})",
    r"(?:describe|caption|classify|identify|label|interpret|analy[sz]e|summari[sz]e|transcribe|explain|examine|study|"
    r"observe|inspect|view|annotate|trace|complete|finish|colou?r|read|check|crop|resize|rotate|edit|enhance|"
    r"colou?ri[sz]e|recreate|critique|compare|see) "
    r"(?:all |what(?:'s| is) (?:happening |shown |going on )?in |the (?:contents?|text|objects?|people) (?:of|in) )?"
    rf"(?:the|these|those|both|your) (?:given |provided |following |two )?{_WORD}"
    rf"(?:{_SEEN}|{_DRAWN}|graphs?|maps?|paintings?|artworks?){_ENDS}",
    rf"the (?:given|provided|supplied|presented) {_WORD}(?:{_SEEN}|maps?|paintings?){_NO_NAME_OF}",
    rf"the {_WORD}(?:{_SEEN}|{_DRAWN}|maps?) (?:provided|given|supplied)\b",
    rf"given (?:an?|the|some|two|this) (?!.{{0,40}}\bof (?:size|dimensions?)\b){_BETWEEN}"
    rf"(?:{_SEEN}|{_DRAWN})(?!'s){_NO_NAME_OF}",
    r"(?:according to|based on|judging (?:by|from)|refer(?:ring)? to|with reference to|using|use|from) (?:the|these) "
    rf"(?:given |provided |following )?{_WORD}(?:{_SEEN}|{_DRAWN}|graph|map|figure){_ENDS}",
    rf"(?<![^.!?:] )the (?:following |given )?{_WORD}(?:{_SEEN}|{_DRAWN}|graph|map|figure) "
    r"(?:shows|depicts|displays)\b",
    rf"what (?:does|do|can|is|are|did) (?:the|these) {_WORD}(?:{_SEEN}|{_DRAWN}|graph|map) "
    r"(?:show|depict|represent|tell|mean|illustrate|about|display)\b",
    r"(?:click|follow|open|visit)(?:ing)? (?:on )?(?:this|the (?:following|attached|provided)|the) "
    r"(?:link|url|web ?site|web ?page)s?\b",
    r"(?:songs?|recordings?|audio|melody) (?:that )?you (?:hear|heard|have heard|are hearing)\b",
    rf"show (?:me|us) the {_PICTURE}{_NO_NAME_OF}",
    r"the link (?:below|above|provided)\b",
    r"(?:and|then|also) (?:then )?(?:draw|sketch|paint) (?:an?|the|your) "
    rf"{_BETWEEN}(?:{_SEEN}|diagrams?|graphs?|charts?|maps?|figures?)\b",
]

_IDEAS = (
    r"(?:(?:on|upon|from|up|near|closer|in|out|back|lots|straws)\b|"
    rf"{_BETWEEN}(?:conclusions?|inferences?|comparisons?|parallels?|analog(?:y|ies)|distinctions?|contrasts?|"
    r"connections?|links?|lessons?|inspiration|attention|morals?|differences?|similarit\w+|insights?|correlations?|"
    r"relationships?|implications?|lines? between|names?|numbers?|cards?|winners?|samples?|marbles?|balls?|tables?|"
    r"meanings?|ideas?|knowledge|evidence|examples?|themes?|deductions?|judge?ments?|boundar(?:y|ies)|strength|timelines?|"
    r"readers?|audience|customers)\b)"
)
"""What is drawn in thought."""
_PLANS = (
    rf"(?:out\b|{_BETWEEN}(?:plans?|outlines?|plots?|characters?|ideas?|arguments?|proofs?|stor(?:y|ies)|scenarios?|"
    r"strateg\w+|briefs?|summar\w+|biograph\w+|overviews?|solutions?|designs?|concepts?|proposals?|frameworks?|"
    r"timelines?|histor(?:y|ies)|roadmaps?|algorithms?|architectures?|approach|schemas?)\b)"
)
"""What is sketched in words."""
_FIGURATIVE = (
    r"(?:big|bigger|clear|clearer|full|vivid|mental|verbal|general|overall|complete|accurate|broad|whole|detailed|brand|"
    r"public|corporate|self|body|positive|negative|professional|word|compelling|evocative)"
)
_MADE = (
    r"(?:images?|pictures?|photos?|photographs?|selfies?|screen ?shots?|drawings?|paintings?|sketch(?:es)?|cartoons?|"
    r"gifs?|graphics?|infographics?|logos?|videos?|short films?|video tutorials?|animations?|recordings?|"
    r"(?:video|audio|sound) (?:clips?|recordings?|files?)|"
    r"(?:bar |pie |line )(?:charts?|graphs?)|graphs?|diagrams?|histograms?|scatter ?plots?|collages?|icons?|"
    r"wallpapers?|3d models?|portraits?|watercolou?rs?|murals?|"
    r"maps?(?= (?:of (?:the|an?|your|my)|showing|that shows)\b))"
)
_MAPPED = r"(?:mind|concept|road|story|site|empathy|journey|thought|process|stakeholder|bubble|skill)"
_SOME = r"(?:an?|some|two|three|\d+|one|another|any|several|your|my|a few)"
_PLOTTED = (
    r"(?:graphs?|points?|functions?|data|curves?|lines?|equations?|charts?|histograms?|values|coordinates|results|"
    r"location|scatter|trends?|temperatures?|[xy] ?=|f\(x\))"
)
_TO_RECORD = (
    r"(?:videos?|clips?|audios?|songs?|podcasts?|messages?|conversations?|sounds?|voices?|interviews?|movies?|films?|"
    r"scenes?|vlogs?)"
)
_NOT_A_PLACE = r"(?:next|previous|last|bottom|top|heart|root|trouble|extreme|beginning|end|future|past|moon)"
_SITES = r"(?:websites?|web sites?|sites?|web ?pages?|pages?|links?|urls?)"

_ORDERS = [
    rf"(?:draw|doodle) (?:(?:me|us) )?(?!{_IDEAS})\w",
    rf"sketch (?:(?:me|us) )?(?:(?:a|the) floor plan|(?!{_PLANS})\w)",
    rf"paint (?:(?:me|us) )?(?:something|anything|(?:an?|the|some|your|my|over) (?!{_FIGURATIVE} )\w)",
    rf"(?:colou?r|trace) (?:in )?(?:the|this|your) {_BETWEEN}{_SHOWN}{_NO_NAME_OF}",
    rf"plot (?:(?:an?|the|these|this|following|given) ){{0,2}}{_PLOTTED}",
    r"(?:create|make|generate|produce|design|render|build|prepare|upload|post|share|send|insert|include|add|attach|show|"
    r"find|search for|take|snap|capture|shoot|edit|crop|retouch|photoshop) (?:(?:me|us) )?"
    rf"{_SOME} (?!.{{0,30}}\b(?:{_FIGURATIVE} (?:image|picture)|{_MAPPED} map)){_BETWEEN}{_MADE}{_NO_NAME_OF}",
    rf"(?:get|give|provide) (?:(?:me|us) )?{_SOME} {_BETWEEN}(?!pictures?\b){_MADE}{_NO_NAME_OF}",
    rf"(?:create|make|generate|produce|design) (?:(?:me|us) )?{_SOME} {_BETWEEN}illustrations?{_NO_NAME_OF}",
    r"illustrate (?:the|this|your|an?) .{1,60}\bwith (?:an? )?(?:drawing|picture|image|sketch)s?\b",
    r"(?:record|film|videotape|shoot) "
    rf"(?:yourself|your voice|(?:an?|the|your|some) {_BETWEEN}{_TO_RECORD}{_NO_NAME_OF})",
    r"photograph (?:an?|the|your|some)\b",
    rf"play (?:(?:me|us) )?(?:an?|the|some|this|my) {_BETWEEN}(?:{_TO_HEAR}|videos?|guitar|piano|violin){_NO_NAME_OF}",
    rf"(?:watch|view) (?:an?|the|any|some|one|two) {_BETWEEN}{_TO_WATCH}{_NO_NAME_OF}",
    rf"listen to (?:an?|the|any|some|one|your) {_BETWEEN}{_TO_HEAR}{_NO_NAME_OF}",
    r"(?:go|head|drive|navigate) (?:over |back |down |out )?to (?:(?:the|an?|your|my|this|that|any|one) "
    rf"(?!{_NOT_A_PLACE}\b)\w|https?:|www\.|(?:google|youtube|amazon|wikipedia|facebook|twitter|instagram)\b|"
    r"\w{1,60}\.(?:com|org|net))",
    r"go (?:outside|online|shopping|for a (?:walk|run|drive))\b",
    rf"visit (?:the|a|this|your|any) {_BETWEEN}(?:{_SITES}|stores?|shops?|museums?|library|restaurants?|parks?|zoo|"
    r"supermarket|market)\b",
    r"(?:click|tap|double-click|scan|swipe) (?:on )?(?:here\b|(?:the|this|any|each|that|a|your) "
    rf"{_BETWEEN}(?:{_SITES}|buttons?|images?|pictures?|icons?|videos?|qr codes?|tabs?|banners?|photos?)\b)",
    rf"(?:open|download|upload) (?:up )?(?:the|this|that|your|my) {_BETWEEN}"
    rf"(?:{_PAPERS}|{_SEEN}|{_SITES}|apps?|browser|folders?|camera|datasets?)\b",
    r"(?:label|mark|locate|point (?:to|out)|colou?r|circle|highlight) [^.?!]{1,60}\bon (?:the|a|this) map\b",
    r"(?:visit|open|browse|read|follow|watch|summari[sz]e) [^.?!]{0,60}https?://",
]

POINTING = re.compile(rf"\b(?:{'|'.join(_POINTS)})|{_PLACEHOLDER}")
"""A task points at what is not there, whatever else it says."""
NAMING = re.compile(rf"\b(?:{'|'.join(_NAMES)})")
"""A task names what is not there: unless it is about a program, or about how people do it."""
ORDERING = re.compile(f"{_CLAUSE}(?:{'|'.join(_ORDERS)})")
"""An order for what is no text, or to go somewhere."""

PROGRAM = re.compile(
    r"\b(?<!qr )(?<!zip )(?<!bar )(?<!morse )(?<!dress )(?<!color )(?<!colour )(?<!the )code\b|\bwrite .{0,40}\bcode\b|"
    r"\bfunctions? (?:that|which|to|called|named|for)\b|\b(?:write|implement|create|define|build) .{0,40}\b"
    r"functions?\b|\b(?:programs?|scripts?|coding|algorithms?|apis?|regex|html|css|javascript|typescript|python|"
    r"java|php|ruby|golang|sql|bash|opencv|pil|pillow|numpy|tensorflow|pytorch|keras|react|django|flask|kotlin|matlab|"
    r"excel|vba|latex|powerpoint|ffmpeg|imagemagick|command line|neural networks?|"
    r"funktion|programm|skript|fonction|programme|función|programa|código|função|funzione|programma|функци\w|программ\w|"
    r"код)\b|c\+\+|c#|[函関关][数數]|[程過]序|代[码碼]|程式|コード|プログラム|함수|코드|프로그램"
)
"""A task about a program, in any language: what it names is what the program works on."""
TOOL = re.compile(r"\b(?:apps?|software|photoshop|gimp|terminal|google drive|dropbox)\b")
"""A task about what people use: what it names is what they work on, but an order stays one."""
SIGNS = re.compile(
    r"\b(?:tikz|svg|ascii|mermaid|plantuml|graphviz|matplotlib|turtle|canvas|emojis?|emoticons?|text[- ]based|"
    r"text form(?:at)?|plain text|unicode|markdown|pygame|openscad|d3|ggplot\w*|seaborn|plotly|pseudo-?code)\b"
)
"""What a drawing can be written in, in any language."""
WORDED = re.compile(r"\b(?:(?:in|with|using|through) (?:\w{1,30} )?words|(?:in|as) text)\b")
"""After an order: what is to be drawn is drawn in words."""
HOW = re.compile(
    r"\bhow (?:to\b|(?:do|can|could|should|might) (?:i|we|one|you|people|someone|they)\b)"
    r"(?! (?:describe|feel|interpret))|\bwho (?:wants?|tries|decides?|likes?|loves?) to\b|"
    r"\b(?:steps|ways?|tips|instructions|guide|tutorial|advice) (?:\w{1,30} ){0,3}(?:to|for|on)\b"
)
"""Before the words in question: the task is about how people do it."""
MAIL = re.compile(
    r"\b(?:e-?mails?|letters?|messages?|memos?|reply|cover note|outlook|gmail|courriel|correo|carta|mensaje|mensagem|"
    r"lettre|lettera|messaggio|nachricht|brief|письмо)\b|[邮郵]件|メール|이메일"
)
"""Before the words in question: what is attached is attached to a letter that is to be written."""
SENT = re.compile(
    r"attach|upload|enclos|send|sent|shar|accompany|angehäng|beigefüg|anhang|join|adjunt|anex|allegat|при[кл]|附|添付|첨부"
)
COMES_INTO = re.compile(r"\b(?:fits?|comes?|figures?|enters?|belongs?|gets?|getting|got|out of|into) $")
"""Before "the picture" or "in the picture": no picture is meant."""
NOUN = re.compile(rf"\b{_SHOWN}\b")
"""A thing to look at or to hear."""
