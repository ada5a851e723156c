# ruff: noqa: RUF001 - letters of other scripts
"""What chat models say before and after an answer, as patterns of lower-case text, in the languages they speak most.

A pattern matches at the start of a sentence. It names what is offered ("ask me", "any more questions"), so that a
recipe may say "feel free to add salt".
"""

from __future__ import annotations

from typing import NamedTuple


class Phrases(NamedTuple):
    """The phrases of one language."""

    sure: str
    """Says yes to the task, and may be all that a paragraph says."""
    here: str
    """Announces what follows."""
    texts: str
    """What a model calls a text that it wrote or changed, in an announcement."""
    offers: str
    """Offers more help, asks back, or hopes that the answer helps."""
    polite: str
    """Says yes, greets or wishes well: never all of a paragraph that is taken away."""


_MAKE = (
    r"(?:answer|break|complete|correct|create|describe|edit|explain|give|help|improve|list|outline|paraphrase|"
    r"provide|rephrase|rewrite|share|show|simplify|solve|summari[sz]e|translate|try|walk|write)"
)
_MADE = (
    r"(?:completed|compiled|corrected|created|drafted|edited|filled in|fixed|generated|improved|listed|made|"
    r"paraphrased|prepared|proofread|provided|put together|reformulated|rephrased|revised|reworded|rewritten|"
    r"shortened|simplified|summari[sz]ed|translated|updated|written)"
)
_MORE = (
    r"(?:else|more|further|other|additional|follow[- ]?up|another|help|assistance|assist|clarif\w*|questions?|"
    r"examples?|details|need|want|would like|you'd like)"
)
_ASK = (
    r"(?:ask(?: me| away| for (?:more|further|help|clarification|any)| if| any| more| about| further| follow|"
    r" questions)?(?=$|,| )(?! (?:your|the|an?|her|his|their|our)\b)|reach out(?! to (?!me\b|us\b))|let me know|"
    r"(?:contact|tell|message|give|correct) me|get in touch|share (?:more|further|additional|your|any)|"
    r"provide (?:more|further|additional|me|the|any)|request|come back|respond|reply)"
)

_ENGLISH = Phrases(
    sure=(
        r"sure(?: thing)?|certainly|of course|absolutely|definitely|no problem|gladly|with pleasure|my pleasure|got it|"
        r"understood|(?:what|that's|that is|this is)? ?an? (?:great|good|excellent|interesting|fantastic|wonderful|"
        r"lovely) (?:question|idea|choice|topic|request)|(?:great|good|excellent|interesting) "
        r"(?:question|choice|request)|thank(?:s| you)(?: so much| very much)? for (?:asking|(?:your|the|this) "
        r"(?:\w+ )?(?:question|request))|(?:(?:i'd|i would|i'll|i will) (?:be (?:more than )?(?:happy|glad|delighted)|"
        r"love)|(?:(?:i'm|i am) )?(?:happy|glad|here)) to (?:help|assist)[^.!?:]*|"
        r"(?:i can|let me|i'll|i will) (?:certainly |definitely |gladly )?(?:help|assist)\b[^.!?:]*"
    ),
    here=(
        r"here(?:'s|'re| is| are| you go| you have| it is| they are| we go)\b|"
        r"(?:you(?:'ll| will| can) )?find below\b|below (?:is|are|you(?:'ll| will| can)? (?:find|have))\b|"
        rf"i(?:'ve| have) (?:also )?{_MADE}\b|(?:let me|allow me to|i'll|i will|i can|i would|i'd) {_MAKE}\b|"
        rf"(?:i'd|i would|i'll|i will) (?:be (?:happy|glad|delighted)|love) to {_MAKE}\b|"
        r"(?:the|my) (?:\w+ )?answer(?: to [^.!?:]{1,80}| is| would be)*(?: as follows)?$|"
        rf"the {_MADE}(?: \w+){{0,4}} (?:is|are|reads|would be|could be)(?: as follows)?$"
    ),
    texts=(
        rf"letter|e-?mail|message|reply|response|answer|speech|toast|dialog(?:ue)?|conversation|monologue|draft|version|"
        rf"rewrite|{_MADE}|translation|paraphrase|summary|poem|haiku|sonnet|limerick|verse|song|lyrics|rap|story|tale|fable|"
        r"memo|invitation|tweet|caption|biography|template|sample|joke|riddle|slogan|continuation|attempt"
    ),
    offers=(
        r"(?:i )?(?:really |sincerely |do )?hope (?:this|that|these|it|my|the)\b(?: [\w-]+){0,6}? (?:help\w*|useful|"
        r"clarif\w+|clear|answers|meets|works|gives|serves|satisf\w+|suits|fits)\b|"
        r"i hope you (?:like|liked|enjoy|enjoyed|find) (?:it|this|that|these|the|my|your)\b|"
        r"let me know(?:$|,? (?:if|when|whether|should|in case|how (?:i|else|you)|what (?:you think|else|you)|which|"
        r"any|about|once)\b)(?!.* (?:in|on) the (?:comments|comment))|"
        rf"(?:feel free|don't hesitate|do not hesitate|you're welcome|you are welcome) to {_ASK}|"
        r"(?:if|should) (?:you|there|any|anything|that|this|these)\b.{0,160}?\b(?:let me know|"
        rf"(?:feel free|don't hesitate|do not hesitate) to {_ASK}|(?:just |please |simply )?ask(?: me| away)?$|"
        r"(?:i'm|i am|i'll be|i will be) (?:always |just )?(?:here|happy|glad|ready|available) to \w+|"
        r"i(?:'d| would) (?:be (?:more than )?(?:happy|glad|delighted)|love) to|"
        rf"i can (?:also |certainly |always |gladly )?{_MAKE}|just tell me|"
        r"i'll (?:be (?:happy|glad)|gladly)|happy to (?:help|assist))|"
        r"(?:would you like|would you prefer|do you want|did you want|want) (?:me to\b|to (?:know|learn|hear|see|read|"
        rf"continue|explore)\b|(?:any|some|an?) (?:\w+ )?{_MORE}|{_MORE})|"
        r"(?:shall|should) i (?:also |now )?(?:continue|explain|provide|write|give|add|go (?:on|into|ahead)|elaborate|"
        r"translate|list|show|rewrite|create|make|proceed|expand)\b|"
        rf"do you (?:need|have) (?:any(?:thing)? |some )?{_MORE}|"
        r"can i (?:help|assist)\b.*\b(?:else|further|more|other)|"
        r"is there (?:anything|something) (?:else|specific|more|in particular)|does (?:this|that) (?:help|answer)\b|"
        r"(?:is|was) (?:this|that) what you\b|how (?:else )?(?:can|may) i (?:help|assist)|"
        r"what (?:else )?(?:can|may) i (?:help|assist|do)\b|what (?:else )?would you like (?:me|to know)\b|"
        r"i(?:'m| am) (?:always )?(?:here|happy|glad|available|ready) to (?:help|assist|answer|explain|provide)\b|"
        r"(?:i'd be |i would be )?(?:happy|glad|more than happy) to (?:help|assist|answer|elaborate|clarify|explain|"
        r"adjust|expand|provide)\b|i can (?:also |certainly )?\w+\b.*\bif (?:you|needed)\b|"
        r"(?:just )?ask(?: me| away)?$"
    ),
    polite=(
        r"okay|ok|alright|all right|yes|yeah|hello(?: there)?|hi(?: there)?|hey(?: there)?|great|perfect|well|thanks?|"
        r"thank you(?: (?:so|very) much)?(?: for \w+(?: \w+){0,3})?|as (?:you )?(?:requested|asked)|good luck(?: \w+)*|"
        r"best of luck(?: \w+)*|enjoy(?: \w+){0,4}|happy \w+ing|have (?:a|an) \w+ (?:day|time|evening|weekend|one)|"
        r"you're welcome|cheers"
    ),
)

_OTHERS = {
    "German": Phrases(
        sure=r"natürlich|(?:sehr |aber )?gerne?|(?:na |aber )?klar(?: doch)?|(?:aber )?sicher|selbstverständlich|"
        r"kein problem|(?:(?:das ist )?eine )?(?:sehr )?(?:gute|tolle|interessante) frage|"
        r"(?:da(?:bei)? )?(?:helfe ich|kann ich)[^.!?:]*(?:gerne?|helfen)|ich helfe (?:dir|ihnen)[^.!?:]*",
        here=r"hier (?:ist|sind|kommt|kommen|findest du|finden sie|hast du|haben sie)\b|"
        r"(?:unten|nachfolgend|im folgenden) (?:ist|sind|findest du|finden sie)\b|hier,? (?:eine?|die|der|das)\b|"
        r"die (?:richtige )?antwort(?: auf [^.!?:]{1,80})? (?:ist|lautet)$|ich habe .*\b(?:umgeschrieben|übersetzt|"
        r"überarbeitet|korrigiert|verfasst|zusammengefasst)$",
        texts=r"(?:der|ein|den|einen|ihr|dein) brief|e-?mail|nachricht|antwort|rede|gedicht|geschichte|entwurf|"
        r"version|fassung|übersetz\w+|"
        r"überarbeitet\w*|umformulier\w+|umgeschrieben\w*|korrigiert\w*|dialog|lied|haiku",
        offers=r"ich hoffe,? (?:das|dies|es|dass|diese|die|meine)\b.*\b(?:hilf\w*|hilfreich|geholfen|weiter|"
        r"nützlich)|(?:bitte )?lass(?:en sie)? (?:es )?mich (?:bitte |gerne |einfach )?wissen|(?:wenn|falls|sollten?|"
        r"solltest|bei|hast du|haben sie)\b.*\b(?:fragen?|hilfe|brauchst|brauchen|benötig\w+|möchtest|"
        r"möchten)\b.*\b(?:mich|mir|stehe ich|helfe ich|ich helfe|frage?$|frage?n? (?:sie )?(?:einfach|gerne?|ruhig|"
        r"jederzeit)|bescheid)\b|(?:möchtest du|möchten sie|willst du|wollen sie),? dass ich|soll ich\b|"
        r"(?:brauchst du|brauchen sie|benötigen sie) (?:noch|weitere|mehr)\b|kann ich (?:dir|ihnen) (?:sonst |noch )|"
        r"(?:bitte )?(?:gib|geben sie) mir (?:gerne |bitte )?bescheid|(?:frag|fragen sie|melde dich|"
        r"melden sie sich) (?:mich |einfach |gerne |ruhig |jederzeit )|zögern? (?:sie )?nicht,? (?:mich |mir )?(?:zu|"
        r"weitere)\b",
        polite=r"okay|ok|gut|ja|hallo|danke\b.*|viel (?:erfolg|spaß|glück)\b.*|einen schönen tag\b.*|gern geschehen",
    ),
    "French": Phrases(
        sure=r"bien sûr|bien entendu|certainement|avec (?:grand )?plaisir|absolument|volontiers|pas de problème|"
        r"(?:c'est une )?(?:très )?(?:bonne|excellente) question|je (?:peux|vais) vous aider[^.!?:]*",
        here=r"(?:voici|voilà)\b|(?:vous trouverez )?ci-dessous\b|"
        r"la (?:bonne )?réponse(?: à [^.!?:]{1,80})? est$|j'ai (?:réécrit|traduit|corrigé|reformulé|rédigé)\b",
        texts=r"lettre|courriel|e-?mail|message|réponse|discours|poème|histoire|brouillon|version|tradu\w+|"
        r"reformul\w+|corrig\w+|réécri\w+|dialogue|chanson|haïku",
        offers=r"j'espère que (?:cela|ça|ceci|cette|ces|mon|ma|la|le|les|vous)\b.*\b(?:aid\w+|utiles?|convien\w+|"
        r"plaî\w+)|n'hésite[zs]? pas(?: à (?:me|demander|poser|revenir|préciser)\b|$| si\b)|(?:faites|fais|dites|"
        r"dis)[- ](?:le-)?(?:moi|le moi)\b|si (?:vous|tu) (?:avez|as|souhaite[zs]|voulez|veux|"
        r"désire[zs])\b.*\b(?:n'hésite[zs]? pas(?: à (?:me|demander|poser|revenir|préciser)\b|$)|(?:faites|fais|"
        r"dites|dis)-(?:le-)?moi|je suis|je peux|je reste|demande[zr]?-moi)|(?:souhaitez-vous|voulez-vous|veux-tu|"
        r"souhaites-tu|aimeriez-vous) que je|puis-je (?:vous|t')\w* ?(?:aider|être)|avez-vous (?:d'autres|besoin)|"
        r"je (?:suis|reste) (?:là|à votre)\b",
        polite=r"d'accord|oui|bonjour|merci\b.*|bon(?:ne)? (?:chance|courage|journée)\b.*|ok|très bien|parfait",
    ),
    "Spanish": Phrases(
        sure=r"claro(?: que sí)?|por supuesto|desde luego|con (?:mucho )?gusto|seguro|encantad[oa](?: de ayudar\w*)?|"
        r"sin problema|(?:es una )?(?:muy )?(?:buena|excelente|gran) pregunta|puedo ayudar(?:te|le)[^.!?:]*",
        here=r"aquí (?:tienes?|está|están|te|le|hay|va|van|os)\b|he aquí\b|a continuación\b|"
        r"la (?:\w+ )?respuesta(?: \w+)? (?:es|sería)$|he (?:reescrito|traducido|corregido|redactado)\b",
        texts=r"carta|correo|e-?mail|mensaje|respuesta|discurso|poema|historia|cuento|borrador|versión|traduc\w+|"
        r"reescri\w+|corregid\w+|corrección|diálogo|canción|haiku",
        offers=r"espero (?:que )?(?:esto|esta|este|te|le|les|sea|haber)\b.*\b(?:ayud\w+|útil\w*|sirv\w+|gust\w+)|"
        r"espero que (?:te|le|les) (?:ayude|sirva|guste|sea)\b|(?:avísame|avíseme|hazme saber|hágame saber|"
        r"házmelo saber|dime|dígame)(?: si\b|$)|no dud(?:es?|éis|en) en (?:preguntar(?! a)|preguntarme|consultarme|"
        r"decir\w+|contactarme|ped\w+|hacérmelo|hacer\w* (?:más |otra )?preg\w+|escribirme)|si (?:tienes?|necesitas?|"
        r"quieres?|deseas?|hay|te|le)\b.*\b(?:avísame|avíseme|dime|dígame|estoy|estaré|"
        r"no dud\w+ en (?:preguntar(?! a)|preguntarme|consultarme|decir\w+|contactarme|ped\w+|hac\w+|escribirme)|"
        r"hazme|hágame|házmelo|pregúntame|puedo)\b|(?:te gustaría|le gustaría|quieres?|deseas?|necesitas) que (?:te |"
        r"le )?\w+(?: \w+)*|(?:hay|necesitas?) algo más|(?:en qué )?(?:más )?puedo ayudar(?:te|le)",
        polite=r"vale|de acuerdo|sí|hola|perfecto|gracias\b.*|(?:mucha )?suerte\b.*|que tengas?\b.*|ok",
    ),
    "Portuguese": Phrases(
        sure=r"(?:é )?claro(?: que sim)?|com (?:toda )?certeza|certamente|com (?:muito )?prazer|sem problemas?|"
        r"(?:é uma )?(?:boa|ótima|excelente) pergunta|posso (?:te |lhe )?ajudar[^.!?:]*",
        here=r"aqui (?:está|estão|vai|vão|tem|temos)\b|eis\b|abaixo\b|(?:a seguir|segue|"
        r"seguem)\b|a (?:\w+ )?resposta(?: \w+)? (?:é|seria)$",
        texts=r"carta|e-?mail|mensagem|resposta|discurso|poema|história|conto|rascunho|versão|tradu\w+|reescri\w+|"
        r"corrigid\w+|diálogo|canção|haicai",
        offers=r"espero (?:que )?(?:isso|isto|esta?|te|lhe|ter|ajude|seja)\b.*(?:ajud\w+|út\w+|gost\w+)|"
        r"(?:me (?:avise|diga|informe)|avise-me|diga-me|informe-me|deixe-me saber|avisa-me)\b|(?:não hesite em|"
        r"(?:sinta-se|fique) à vontade para) (?:perguntar(?! a)|me|pedir|entrar)|(?:se|caso) (?:você )?(?:tiver|"
        r"tenha|precisar?|precise|quiser|queira|desejar|deseje|houver)\b.*\b(?:me (?:avise|diga|informe|pergunte)|"
        r"(?:avise|diga|informe)-me|estou|fico|posso|é só (?:pedir|perguntar|avisar|falar)|(?:não hesite em|"
        r"à vontade para) (?:perguntar(?! a)|me|pedir))\b|(?:você )?(?:gostaria|quer|deseja) que eu\b|(?:posso|"
        r"em que posso) (?:te |lhe )?ajudar",
        polite=r"ok|sim|olá|oi|certo|perfeito|obrigad[oa]\b.*|boa sorte\b.*|tenha um\b.*",
    ),
    "Italian": Phrases(
        sure=r"certo(?: che sì)?|certamente|naturalmente|volentieri|con piacere|ovviamente|assolutamente|"
        r"nessun problema|(?:è una )?(?:ottima|bella|buona) domanda|posso aiutar(?:ti|la)[^.!?:]*",
        here=r"ecco\w*\b|qui (?:c'è|ci sono|trovi|sotto)\b|di seguito\b|"
        r"la (?:\w+ )?risposta(?: \w+)? (?:è|sarebbe)$|ho (?:riscritto|tradotto|corretto|scritto)\b",
        texts=r"lettera|e-?mail|messaggio|risposta|discorso|poesia|storia|bozza|version\w|tradu\w+|tradott\w|"
        r"riscri\w+|corrett\w|dialogo|canzone|haiku",
        offers=r"spero (?:che )?(?:questo|questa|ti|le|vi|sia|di)\b.*(?:aiut\w+|util\w+|piac\w+|serv\w+)|(?:fammi|"
        r"mi faccia|fatemi) sapere\b|non esit(?:are|i) a (?:chiedere(?! a)|chiedermi|contattarmi|far\w+|scrivermi|"
        r"pormi)|se (?:hai|ha|avete|desideri|desidera|vuoi|vuole|ti serve|hai bisogno)\b.*\b(?:fammi|mi faccia|"
        r"chied\w+ pure|chiedimi|sono (?:qui|a)|non esit\w+ a (?:chiedere(?! a)|chiedermi|contattarmi|far\w+)|posso|"
        r"dimmi)\b|(?:vuoi|desideri|vuole|ti piacerebbe) che (?:ti )?\w+|(?:posso|come posso) aiutar(?:ti|la)|"
        r"(?:hai bisogno|ti serve) (?:di )?altro",
        polite=r"ok|va bene|d'accordo|sì|ciao|perfetto|grazie\b.*|buon\w* (?:fortuna|giornata|lavoro)\b.*",
    ),
    "Dutch": Phrases(
        sure=r"natuurlijk|zeker(?: weten)?|uiteraard|graag(?: gedaan)?|geen probleem|(?:dat is een )?goede vraag|"
        r"ik help (?:je|u) graag[^.!?:]*",
        here=r"hier (?:is|zijn|volgt|volgen|vind je|heb je)\b|hieronder\b|"
        r"het (?:juiste )?antwoord is$",
        texts=r"(?:de|een|je|uw) brief|e-?mail|bericht|antwoord|toespraak|gedicht|verhaal|versie|vertaling|vertaalde|"
        r"herschreven|gecorrigeerde|dialoog|liedje",
        offers=r"(?:ik )?hoop(?:elijk)?(?: dat)? (?:dit|het|je|u)\b.*\b(?:help\w*|geholpen|nuttig|iets aan)|"
        r"laat (?:het )?(?:me|mij|het)\b.*\bweten|(?:als|mocht|heb|heeft|indien) (?:je|u|"
        r"er)\b.*\b(?:laat (?:het )?(?:me|mij)|laat (?:het )?(?:gerust |dan )?weten|vraag (?:het |maar|gerust)|"
        r"stel (?:ze |gerust)|help ik|hoor ik)\b|(?:wil je|wilt u|zal),? (?:dat )?ik\b|kan ik (?:je|u) (?:nog|verder|"
        r"ergens)|aarzel niet om (?:me |mij |het )?(?:te )?(?:vragen|laten|contact)",
        polite=r"oké|ok|ja|hallo|bedankt\b.*|veel (?:succes|plezier)\b.*|fijne dag\b.*",
    ),
    "Polish": Phrases(
        sure=r"jasne|oczywiście|pewnie|z przyjemnością|nie ma problemu|(?:to )?(?:bardzo )?(?:dobre|świetne) pytanie|"
        r"chętnie pomogę[^.!?:]*",
        here=r"oto\b|poniżej\b|(?:prawidłowa |poprawna )?odpowiedź (?:to|brzmi)$",
        texts=r"list (?:do|motywacyjny)|e-?mail|wiadomość|odpowiedź|przemówienie|wiersz|opowiadanie|szkic|wersj\w+|"
        r"tłumaczenie|przetłumaczon\w+|poprawion\w+|przepisan\w+|dialog|piosenka",
        offers=r"mam nadzieję,? że\b.*\b(?:pomo\w+|pomóg\w*|pomog\w+|przyda\w*|pomocn\w+)|"
        r"(?:proszę )?daj(?:cie)?\b.*\bznać|(?:jeśli|jeżeli|gdyby\w*|w razie)\b.*\b(?:daj\w* (?:mi )?znać|pytaj\w*$|"
        r"pytaj śmiało|śmiało pytaj|pomogę|napisz do mnie|zapytaj mnie|służę)\b|czy (?:chcesz|chciał\w+|"
        r"chce pan\w*),? (?:abym|żebym|bym)|czy (?:mogę|mam) (?:w czymś |jeszcze |jakoś )",
        polite=r"dobrze|ok|tak|cześć|dzień dobry|dziękuję\b.*|powodzenia\b.*|miłego\b.*",
    ),
    "Russian": Phrases(
        sure=r"конечно(?: же)?|разумеется|безусловно|с удовольствием|без проблем|(?:это )?(?:отличный|хороший|"
        r"интересный) вопрос|(?:я )?(?:с радостью |могу )?помо(?:гу|чь)(?: вам)?[^.!?:]*",
        here=r"вот\b|ниже\b|(?:правильный )?ответ(?: на [^.!?:]{1,80})?(?: такой| следующий)?$|"
        r"(?:привожу|предлагаю)\b",
        texts=r"письмо|сообщение|ответ|речь|стих\w*|рассказ|история|черновик|верси\w+|вариант|перевод|перевед\w+|"
        r"исправленн\w+|переписанн\w+|переформулир\w+|диалог|песня",
        offers=r"надеюсь,? (?:что )?(?:это|эта|эти|этот|мой|вам|тебе)\b.*(?:помо\w+|полез\w+|понрав\w+)|"
        r"(?:пожалуйста,? )?(?:(?:дайте|дай)(?: мне)? знать|сообщите|скажите,? если|напишите,? если|"
        r"обращайтесь(?! [кв]\b))\b|если\b.*\b(?:дайте знать|дай знать|дайте мне|спрашивай\w*|обращай\w+\b(?! [кв]\b)|"
        r"сообщите(?: мне)?$|скажите(?: мне)?$|(?:готова?|рада?) (?:вам )?\w*помочь|помогу|задавай\w*)|"
        r"(?:.* )?не стесняй\w+ (?:спрашивать|обращаться(?! [кв]\b)|задавать|писать)|(?:хотите|хочешь|нужно ли|"
        r"желаете),? чтобы я\b|могу ли я (?:ещё |чем|вам )|(?:чем )?(?:ещё |еще )?могу помочь",
        polite=r"хорошо|да|ладно|привет|здравствуйте|спасибо\b.*|удачи\b.*|хорошего\b.*",
    ),
    "Chinese": Phrases(
        sure=r"(?:当然|當然)(?:可以|啦|了|没问题)?|好的|(?:没|沒)(?:有)?(?:问题|問題)|可以的|(?:很|非常)?(?:高兴|"
        r"高興|乐意|樂意)(?:能)?(?:为|為|帮|幫)?(?:您|你)[^。！？：:]{0,12}|(?:这|這)?是?(?:一)?(?:个|個)?(?:很|"
        r"非常)?好(?:的)?(?:问题|問題)",
        here=r"(?:以下|下面|下方)(?:就)?(?:是|为|為|有|列出|提供|给出)|(?:这|這)(?:是|里是|裡是|里有|就是)|"
        r"(?:我)?(?:已)?(?:为|為|帮|幫|给)(?:您|你)|(?:正确)?答案(?:是|如下)$|.{0,30}如下$",
        texts=r"信|邮件|郵件|消息|短信|回复|回復|答案|回答|演讲|演講|诗|詩|故事|草稿|版本|翻译|翻譯|译文|譯文|改写|"
        r"改寫|修改|润色|对话|對話",
        offers=r"希望(?:这|這|以上|上述|对|對|能|我的|可以).{0,30}(?:帮|幫|有用|有所|喜欢|喜歡)|(?:如果|如|若|要是|"
        r"假如)(?:您|你)?(?:还|還)?(?:有|需要|想|对|對|希望).{0,40}(?:告诉我|告訴我|让我知道|讓我知道|联系我|聯繫我|"
        r"问我|問我|向我|(?:随时|隨時|欢迎|歡迎|继续|繼續)(?:告知|提出|提问|提問|询问|詢問)|我(?:可以|会|會|很|将|將|"
        r"随时|隨時|都|能))|(?:请|請)?(?:随时|隨時)(?:告诉我|告訴我|联系我|聯繫我|提问|提問|向我|问我|問我)|(?:请|"
        r"請)(?:告诉我|告訴我|让我知道|讓我知道)|(?:您|你)?(?:是否)?(?:需要|想要|希望|想让)我.{0,40}(?:吗|嗎|呢)?$|"
        r"(?:还|還)有(?:什么|什麼|其他).{0,20}(?:吗|嗎|呢)?$|(?:欢迎|歡迎)(?:随时|隨時)?(?:提问|提問|继续提问|"
        r"繼續提問|告诉我|告訴我)",
        polite=r"好|是的|嗯|您好|你好|(?:谢谢|謝謝).{0,12}|祝(?:您|你).{0,12}|加油",
    ),
    "Japanese": Phrases(
        sure=r"もちろん(?:です)?(?:とも)?|承知(?:し|いたし|致し)ました|(?:わか|分か)りました|了解(?:です|しました|"
        r"いたしました)|喜んで.{0,20}|かしこまりました|(?:とても)?(?:良|よ|い)い(?:ご)?質問ですね",
        here=r"(?:以下|次|下記)(?:に|は|が|の)|こちら(?:が|は|に)|.{0,30}(?:次|以下|下記)の(?:通|とお)り",
        texts=r"手紙|メール|メッセージ|返信|返事|回答|答え|スピーチ|詩|俳句|物語|下書き|文案|例文|バージョン|翻訳|訳|"
        r"書き直|修正|書き換え|対話|会話",
        offers=r".{0,40}(?:お役に立て|役に立て|参考になれ|参考になり|参考にして|助けになれ).{0,20}|(?:他|ほか|さらに|"
        r"もし|何か|ご不明|ご質問|ご要望|不明|もっと|また|いつでも|お気軽に|遠慮なく).{0,50}(?:お知らせ|お聞かせ|"
        r"お聞き|お尋ね|お声が?け|お申し付け|おっしゃって|教えて|聞いて|質問して|お問い?かけ|ご質問|"
        r"ご相談).{0,8}(?:ください|下さい).{0,2}|(?:他|ほか|何か他)(?:に|の).{0,40}(?:でしょうか|ますか)",
        polite=r"はい|ええ|こんにちは|ありがとう(?:ございます)?|頑張ってください",
    ),
    "Korean": Phrases(
        sure=r"물론(?:입니다|이죠|이에요|이지요)?|알겠습니다|(?:아주 |정말 )?좋은 질문(?:입니다|이에요|이네요|"
        r"이군요)|기꺼이[^.!?:]{0,20}|문제(?:없습니다| 없습니다)",
        here=r"다음은|여기|아래(?:는|에|와)|요청하신|[^.!?:]{0,30}(?:다음과|아래와) 같습니다",
        texts=r"편지|이메일|메일|메시지|답장|답변|연설|시|이야기|초안|버전|번역|수정|대화|문장",
        offers=r".{0,40}도움이 (?:되|됐|됩|필요하(?:시면|면|신)).{0,50}|.{0,60}(?:말씀해|알려|물어봐|물어보|"
        r"질문해)(?: ?주)?세요|.{0,60}언제든지? (?:문의|질문|말씀|물어|알려).{0,20}|.{0,60}(?:드릴까요|해 ?줄까요|"
        r"도와드리겠습니다|도와드릴게요)",
        polite=r"네|예|안녕하세요|감사합니다|좋습니다|행운을 빕니다|좋은 하루 되세요",
    ),
}

ASIAN = tuple(_OTHERS[language] for language in ("Chinese", "Japanese", "Korean"))
WESTERN = (_ENGLISH, *(phrases for phrases in _OTHERS.values() if phrases not in ASIAN))

CHANGES = (
    r"\b(?:adjust|chang|revis|modif|edit|tweak|formal|tone\b|version|tailor|customi|personali|refin|rewrit|shorten|"
    r"expand|anpass|änder|überarbeit|ajust|cambi|altera|adatt|wijzig|aanpass|zmieni|измен|поправ|дорабо)|"
    r"修改|调整|調整|更改|変更|修正|수정|변경"
)
"""Words of an offer to change the answer."""
