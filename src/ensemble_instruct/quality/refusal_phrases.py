# ruff: noqa: RUF001 - letters of other scripts
"""How models begin to decline, as patterns that ignore case: broad in English, the usual phrases of other languages.

What people say in letters and stories is kept apart by what is declined: "help with that" and "generate such content",
but not "attend the party"; "see the image you sent", but not "see the moon".
"""

from __future__ import annotations

_AI = (
    r"(?:ai|artificial intelligence|(?:large )?language model|chatbot|virtual assistant)"
    r"(?:[- ](?:powered|based|driven))?(?:[- ](?:language|chat|text)(?:[- ]based)?)?"
    r"(?:[- ](?:model|assistant|bot|system|chatbot|program))?(?:,? (?:developed|created|trained|made|built) by \w+)?"
)
_DOES_NOT = (
    r"(?:can ?not|can't|won't|will not|do not|don't|not (?:able|capable|programmed|designed)|unable|must decline)"
)
_BARELY = r"(?: (?:\w+ly|in good (?:conscience|faith)|and will not|also))?"
_CANNOT = (
    r"(?:can ?not|can't|am (?:not able|unable) to|'m (?:not able|unable) to|"
    rf"won't be able to|will not be able to){_BARELY}"
)
_MATTER = r"(?:request|question|quer(?:y|ies)|task|topic|prompt|instructions?|conversations?|discussions?)"
_MATERIAL = (
    r"(?:content|advice|information|opinions?|guidance|instructions|material|assistance|recommendations?|details|"
    r"predictions?|diagnos[ei]s)"
)
_MEDIA = (
    r"(?:images?|pictures?|photos?|videos?|audio|files?|links?|urls?|internet|web|websites?|attachments?|documents?|"
    r"articles?|databases?|real[- ]time|external|current|live)"
)
_MANY_MEDIA = r"(?:images|pictures|photos|videos|files|links|urls|attachments|websites|web ?pages)\b"
_END = r"(?=\W*$|[.,;!:]| (?:as|because|since|for|without|due))"
_IT = rf"(?:that|this|it|so|such (?:a )?\w+)(?: for you)?{_END}"
_ANSWER = r"(?:answer|continue|discuss|complete|process|respond|recommend|suggest|execute|perform|determine)"
_MAKE = r"(?:do|create|write|produce|give|offer|share|describe|tell|translate|summari[sz]e|say|make|draw|show)"
_FOR = r"(?: you)?(?: (?:to|with|on|in|about))?"
_OBJECT = (
    rf"(?:(?:(?:that|this|your|the|these|any|such|an?) )?(?:[\w-]+ ){{0,2}}?{_MATTER}\b|"
    rf"(?:an? |any |the |such |you )?(?:[\w-]+ ){{0,2}}?{_MATERIAL}\b)"
)
_DECLINED = (
    r"(?:(?:assist|comply|participate|condone|facilitate|fulfil+|accommodate|satisfy your)\b|"
    r"engage in (?:[\w-]+ )?(?:this|that|such|your|conversations?|discussions?|activities|content)\b|"
    r"(?:provide|generate|promote|endorse|disclose)\b(?! (?:for|enough|more|(?:an? )?better)\b)|support or\b|"
    r"help(?: you)?(?: (?:with|to|in|on)\b|(?=\W*$|[.,;!]))(?! (?:\w+ )?(?:thinking|wondering|feeling))|"
    rf"{_ANSWER}{_FOR} {_IT}|(?:{_ANSWER}|{_MAKE}){_FOR} {_OBJECT}|"
    rf"(?:access|browse|display|draw|create|generate|search|process) (?:[\w-]+ ){{0,3}}?{_MEDIA}\b|"
    rf"(?:see|view|open|read|watch|hear|play) (?:(?:any |your |external )?{_MANY_MEDIA}|"
    r"any (?:image|picture|photo|text)\b|"
    r"(?:the|your|this|that|an?) \w+ (?:(?:that |which )?you\b|provided|attached))|"
    r"have (?:personal |real )?(?:opinions|feelings|emotions|beliefs)\b)"
)
_AFTER_SORRY = (
    rf"(?:{_DECLINED}|{_MAKE}{_FOR} {_IT}|"
    r"(?:answer|help|do|write|create|give you|tell you|translate|summari[sz]e|identify|determine|continue|"
    rf"understand) (?:an?|any|this|that|your|the|what|who|how|whether|jokes|stories|code|{_MATTER})\b)"
)
_SORRY = (
    r"(?:(?:i'm|i am|we're|we are)(?: (?:so|very|really|truly|terribly))? (?:sorry|afraid)|sorry|"
    r"(?:i|we)(?: \w+)? apologi[sz]e|(?:my |our )?(?:sincere(?:st)? )?apologies|unfortunately|regrettably|i regret)"
)
_NOTHING_HAD = (
    r"(?:(?:do not|don't) (?:currently )?have (?:enough|sufficient|access to|the (?:ability|capability|capacity|"
    r"information|text|image))|have no (?:access|way of knowing)|"
    r"(?:do not|don't) (?:see|understand) (?:any|an|the|your|what)|(?:am|'m) not sure what you)\b"
)
_KI = r"(?:ki|künstliche intelligenz|sprachmodell|ki-\w+)\b"
_AUF_DEUTSCH = (
    r"(?:\w*helfen|beantworten|erfüllen|unterstützen|nachkommen|bereitstellen|erstellen|schreiben|durchführen|"
    r"liefern|in der lage)\b"
)

OPENING = (
    r"(?:(?:hello|hi|hey|well|oh|ah|ok|okay)(?: there)?[!.,]+ |thank(?:s| you)[^.!,\n]{0,60}[.!,]+ |"
    r"(?:while |although )?i (?:completely |do |can |fully |really )?(?:understand|appreciate|respect|see|realize)"
    r"[^.\n]{0,90}?(?:,? but |, |\. (?:however|but|unfortunately),? )|however,? )"
)
"""What may come before a refusal: a greeting, thanks, an "I understand, but"."""

SPEAKS_AS_ONE = (
    rf"as an? (?:\w+ )?{_AI},? (?:i\b|my\b|it(?: is|'s) (?:not|against|im))",
    r"en tant qu(?:e |')(?:un |une |grand )?"
    r"(?:ia|intelligence artificielle|modèle (?:de langage|linguistique)|assistant ia)\b",
    r"como (?:una? )?(?:gran )?"
    r"(?:ia|inteligencia artificial|modelo (?:de (?:lenguaje|ia|idioma)|lingüístico)|asistente de ia)\b",
    r"como (?:uma? )?(?:ia|inteligência artificial|modelo de linguagem|assistente de ia)\b",
    r"come (?:un[a']? ?)?(?:ia|intelligenza artificiale|modello (?:linguistico|di linguaggio)|assistente ai)\b",
    rf"als (?:eine? )?(?:\w+ )?{_KI},?(?: \w+){{0,3}}? (?:habe|kann|bin|verfüge|darf|besitze|möchte|fühle) ich\b",
    r"(?:(?:很?抱歉|对不起)\W*)?作为(?:一个|一名|一款)?.{0,6}(?:人工智能|AI|语言模型)",
    r"как (?:ии|искусственный интеллект|языковая модель)\b,? (?:я|у меня)\b",
    r"(?:私は)?(?:AI|人工知能)(?:言語モデル|アシスタント)?(?:として|なので|ですので)",
)
"""A machine says that it is one: a refusal where the task does not ask for a machine's words."""

REFUSES = (
    r"as an? (?:helpful|responsible|ethical|virtual|digital|safe|harmless)(?: \w+)? assistant,? i"
    rf"[^.\n]{{0,20}}?\b{_DOES_NOT}\b",
    rf"i(?:'m| am) (?:just |only |merely |simply )?an? (?:\w+ )?{_AI}"
    rf"(?:\W*[^\w\s]\W*|,? (?:and|so|but|that|which|designed|programmed) )[^.\n]{{0,60}}\b{_DOES_NOT}\b",
    rf"{_SORRY}\b(?:[^.!?\n\"]{{0,25}}[.!] )?[^.!?\n\"]{{0,60}}?\bi ?(?:{_CANNOT} {_AFTER_SORRY}|{_NOTHING_HAD})",
    rf"{_SORRY}\b[^.!?\n\"]{{0,25}}?\b(?:as an? (?:\w+ )?{_AI}|"
    r"you (?:haven't|have not|didn't|did not) provided?\b|there (?:is|was) no (?:\w+ )?(?:provided|attached|given)\b)",
    rf"i ?{_CANNOT} {_DECLINED}",
    rf"i (?:won't|will not){_BARELY} "
    r"(?:assist|comply with|provide|generate|fulfil+|help (?:you )?with (?:that|this))\b",
    r"i(?: must| have to| will have to| need to)?(?: (?:respectfully|politely|kindly))? (?:must )?(?:decline|refuse)"
    r"(?: to (?:answer|provide|assist|help|engage|write|create|generate|participate|comply|discuss|continue)|"
    r" (?:this|that|your)\b|\W*$|\.)",
    r"i(?: must| have to| will have to)(?: \w+ly)? (?:decline|refuse)\b(?!,? (?:he|she|said)\b)",
    r"i(?:'m| am not|'m not| do not feel| don't feel) comfortable (?:\w+ing|with (?:that|this|your))\b",
    r"i (?:do not|don't) (?:\w+ly )?have (?:access to (?:real[- ]time|the internet|your|external|current|live|any|that|"
    rf"personal|specific|(?:the )?(?:\w+ )?{_MEDIA})|personal (?:opinions|feelings|beliefs|preferences|emotions|"
    r"experiences)|feelings|emotions|real[- ]time|a physical (?:body|form)|(?:enough|sufficient) information|"
    r"the (?:ability|capability|capacity) to)\b",
    rf"i have no access to (?:the|your|any) (?:\w+ )?{_MEDIA}\b",
    r"i(?:'m| am) (?:not programmed to|programmed to (?:be|provide|assist|follow|avoid|not)|"
    r"not (?:capable of|allowed to|permitted to) (?:provid|generat|answer|assist|discuss|creat|engag|shar)\w+)\b",
    r"it(?: is|'s| would be) (?:not appropriate|inappropriate|unethical) for me to",
    r"(?:it|that|this)(?: is|'s| goes|) against my (?:\w+ )?(?:programming|guidelines|polic)",
    r"my (?:programming|guidelines|training)(?: \w+)? (?:do(?:es)? not|don't|doesn't|will not) (?:allow|permit|let) me",
    r"i(?:'d| would)(?: \w+)? rather not (?:answer|discuss|say|comment)\b",
    rf"(?:{_SORRY},?(?: but)? )?(?:that|this|it)(?: is|'s) not something "
    r"(?:that )?i(?:'m| am| can)(?: able to| willing to)? "
    r"(?:help|assist|do|provide|discuss|answer)\b",
    rf"ich bin (?:nur |lediglich )?eine? {_KI}[^.\n]{{0,60}}\b(?:nicht|keine?\w*)\b",
    r"(?:(?:es )?tut mir (?:sehr )?leid|entschuldigung|leider|sorry)\b"
    rf"[^.\n]{{0,60}}\bnicht[^.\n]{{0,30}}\b{_AUF_DEUTSCH}",
    r"(?:das|dabei|damit|ich) kann (?:ich )?(?:(?:dir|ihnen|dabei|damit|leider|das|diese\w*) ){1,4}nicht (?:weiter)?"
    r"(?:\w+ )?(?:helfen|beantworten|erfüllen|nachkommen)\b",
    r"(?:je suis |je m'excuse|)désolée?,?(?: mais)? je (?:ne (?:peux|puis|suis) pas|n'ai pas)[^.\n]{0,30}\b"
    r"(?:aider|répondre|fournir|faire (?:cela|ça)|accéder|accès|créer|générer|en mesure|capable d)",
    r"je ne (?:peux|puis) pas (?:vous aider (?:avec|à)|répondre à (?:cette|votre)|fournir)",
    r"(?:lo siento|lamentablemente|disculpa)\W+(?:pero )?no (?:puedo|tengo)[^.\n]{0,25}"
    r"(?:ayudar|asistir|cumplir|responder|proporcionar|hacer es[eot]|generar|brindar|acceso|opiniones)",
    r"no puedo (?:ayudarte|ayudarle|cumplir con (?:esa|tu|su)|proporcionar|responder a (?:esa|tu|su))",
    r"(?:mi dispiace|purtroppo)\W+(?:ma )?non posso[^.\n]{0,25}(?:aiutar|risponder|fornir|soddisfar|farlo)",
    r"(?:desculp\w+|sinto muito|lamento|infelizmente)\W+(?:mas )?não posso[^.\n]{0,25}"
    r"(?:ajudar|responder|fornecer|atender|cumprir)",
    r"(?:很?抱歉|对不起|不好意思).{0,12}(?:无法|不能).{0,6}(?:提供|回答|协助|满足|生成|讨论|帮助|完成您)",
    r"我(?:无法|不能)(?:为您|帮您|协助|直接)?(?:提供|回答这|协助|满足您|生成)",
    r"申し訳(?:ありません|ございません|ない).{0,40}(?:できません|できかねます|お答え|お応え|お手伝い)",
    r"(?:извините|простите|к сожалению|прошу прощения)\W+(?:но )?я не могу (?:\w+ )?"
    r"(?:помочь|ответить на|предоставить|выполнить)",
)
"""A refusal, whoever speaks."""
