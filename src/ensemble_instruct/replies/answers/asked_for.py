"""What a task asks for, as its words tell: code, a text that speaks to somebody, a label before the answer.

A doubt is a yes: then more of a reply stays as it came.
"""

from __future__ import annotations

import re

_CODE = (
    r"(?<!\w)(?:(?:pseudo-?)?codes?|coding|codebase|functions?|program(?:s|ming|me|ma|mas|m|mi|y)?|scripts?|snippets?|"
    r"class(?:es)?|methods?|algorithm\w*|reg(?:ular )?ex\w*|quer(?:y|ies)|commands?|shell|terminal|bash|zsh|powershell|"
    r"\w*sql|python|java|javascript|typescript|html5?|css|xml|json|ya?ml|toml|csv|la?tex|markdown|php|perl|ruby|rust|"
    r"golang|kotlin|swift|matlab|scala|haskell|julia|lua|fortran|cobol|assembl\w+|react|django|docker\w*|kubernetes|"
    r"makefiles?|git|apis?|endpoints?|linux|unix|excel|spreadsheets?|loops?|arrays?|variables?|debug\w*|compil\w+|"
    r"syntax|recursi\w+|ascii|backticks?|fence[sd]?|preformatted|monospaced?|diagrams?|config\w*|dockerfile|"
    r"funktion\w*|skript\w*|befehl\w*|abfragen?|quelltext|fonctions?|requêtes?|commandes?|funci(?:ón|ones)|"
    r"consultas?|comandos?|código|fun(?:ção|ções)|funzion[ei]|codice|comandi|functie|kod|funkcj\w+|polecenie|"
    r"функци\w+|программ\w+|код\w*|запрос\w*|скрипт\w*|команд\w+|алгоритм\w*)(?!\w)|(?<!\w)(?:c|c\+\+|c#|f#|r)(?= "
    r"(?:program|code|function|class|script))|c\+\+|c#|代码|代碼|程序|程式|函数|函數|脚本|腳本|算法|查询|正则|コード|関数|"
    r"プログラム|スクリプト|クエリ|アルゴリズム|コマンド|코드|함수|프로그램|스크립트|쿼리|알고리즘|명령어"
)
_WRITE = (
    r"(?:write|writing|draft|compose|create|generate|prepare|produce|craft|make|give|re-?write|translate|correct|edit|"
    r"proofread|improve|paraphrase|polish|shorten|extend|continue|complete|finish|fill|simplify|convert|turn|change|"
    r"rephrase|suggest|provide|send|design|invent|imagine|come up|fix|revise|role-?play|schreib\w*|verfass\w*|"
    r"formulier\w*|entwirf|erstell\w*|übersetz\w*|écri\w*|rédig\w*|tradu\w*|escrib\w*|redact\w*|escrev\w*|redij\w*|"
    r"scriv\w*|redig\w*|schrijf\w*|stel|napisz\w*|przetłumacz\w*|напиш\w*|состав\w*|перевед\w*|ответ\w*)"
)
_SPOKEN = (
    r"(?:letter(?! [a-z]\b)|e-?mails?|mails?|messages?|memos?|notes?|speech(?:es)?|toasts?|dialog(?:ue)?s?|"
    r"conversations?|chats?|exchange|transcripts?|repl(?:y|ies)|responses? to (?:an?|the|this|my|your)"
    r"(?! (?:\w+ )?(?:question|prompt|instruction|task|query))|sms|texts? to|tweets?|posts?|blogs?|announcements?|"
    r"invitations?|newsletters?|monologues?|interviews?|phone calls?|voicemails?|reviews?|complaints?|apolog(?:y|ies)|"
    r"captions?|advert\w*|ads?|pitch(?:es)?|phrases|expressions|ways (?:to|of)|greetings?|closings?|sketch|skit|play|"
    r"scene|scripts?|notice|flyer|brochure|press release|comments?|faqs?|\w*bot|assistant|briefe?|nachricht|rede|"
    r"gespräch|einladung|bewerbung|anschreiben|beschwerde|lettre|courriel|discours|dialogue|invitation|carta|correo|"
    r"mensaje|discurso|diálogo|conversación|invitación|mensagem|conversa|convite|lettera|messaggio|discorso|dialogo|"
    r"conversazione|invito|brief|bericht|toespraak|gesprek|uitnodiging|list|wiadomość|przemówienie|rozmow\w+|"
    r"zaproszenie|письм\w+|сообщени\w+|речь|диалог\w*|разговор\w*|приглашени\w+)"
)
_PARTNER = (
    r"(?:customers?|clients?|guests?|clerks?|receptionists?|representatives?|waiters?|waitress(?:es)?|salespersons?|"
    r"callers?|shoppers?|support agents?)"
)
_SAY = r"(?:says?|responds?|repl(?:y|ies)|answers?|tells?|greets?|asks?)"
_SPEAKS = (
    rf"\b{_WRITE}\b[^.!?\n]{{0,80}}\b{_SPOKEN}\b|"
    r"\b(?:write|generate|create|make|give|list|suggest)\b[^.!?\n]{0,30}\b(?:questions|offers|lines)\b|"
    rf"\b{_PARTNER}\b[^\n]{{0,80}}\b{_SAY}\b|\b{_SAY}\b[^\n]{{0,80}}\b{_PARTNER}\b|role-?play|\bpretend\b|"
    r"\b(?:reply|respond|write back|answer)(?:ing)? to (?:an?|the|this|that|these|my|your|his|her|their|our|some\w+) "
    r"(?!(?:\w+ ){0,2}(?:questions?|prompts?|instructions?|tasks?|quer(?:y|ies)|statements?|riddles?)\b)|"
    r"写信|一封|邮件|郵件|短信|演讲|演講|对话|對話|回复|回復|邀请函|邀請函|留言|客服|手紙|メール|メッセージ|スピーチ|会話|対話|返信|"
    r"招待状|お客様|편지|이메일|메일|메시지|연설|대화|답장|초대장|고객"
)
_CREATIVE = (
    r"\b(?:poems?|haikus?|sonnets?|limericks?|verses?|songs?|lyrics|rap|rhymes?|ballads?|odes?|stor(?:y|ies)|tales?|"
    r"fables?|novels?|gedichte?|lied|geschichten?|märchen|poèmes?|chansons?|histoires?|contes?|poemas?|canción|"
    r"cuentos?|canção|contos?|poesi[ae]|canzon[ei]|racconti?|verhaal|wiersz\w*|piosenk\w*|opowiadani\w*|стих\w*|"
    r"песн\w*|рассказ\w*|сказк\w*)\b|诗|詩|歌|故事|小说|小說|俳句|物語|시를|이야기|노래"
)
_CHANGES_A_TEXT = (
    r"\b(?:translat\w+|correct\w*|rewrit\w+|proofread\w*|edit\w*|paraphras\w+|rephras\w+|fix\w*|improv\w+|revis\w+|"
    r"copy|repeat|format|übersetz\w*|korrigier\w*|tradui\w*|corrig\w*|traduc\w*|traduz\w*|traduci\w*|corregg\w*|"
    r"vertaal\w*|przetłumacz\w*|popraw\w*|перевед\w*|исправ\w*)\b|翻译|翻譯|修改|改写|改寫|訳|書き|번역|고쳐"
)
_CAN_YOU = r"\b(?:can|could|would|will) you\b"
_QUESTION = re.compile(r"(?:^|[.!?:\n]\s*)([^.!?:\n\u3002]{1,200})[?\uff1f\u061f]")
_ASKS_WHAT = (
    r"\b(?:what|who|whom|whose|how|when|where|which|why|wer|wie|wann|wo|welche\w*|warum|que|quoi|quel\w*|qui|"
    r"comment|quand|où|pourquoi|qué|quién|cómo|cuándo|dónde|cuál\w*|como|quando|onde|qual|quem|che|cosa|chi|"
    r"dove|perché|quale|wat|hoe|waar|wanneer|waarom|welke|kto|jak|kiedy|gdzie|dlaczego|что|кто|как\w*|когда|"
    r"где|почему|сколько)\b|什么|什麼|谁|誰|怎|哪|几|幾|多少|何|どこ|いつ|どう|なぜ|무엇|누구|어디|언제|왜|어떻게|몇"
)
_BEGIN = r"(?:begin|start|prefix|prefac|preced|label|introduc|head|titl|lead|open|mark|beginn|commenc|empie|com[ei]n)"


def asks_for_code(task: str) -> bool:
    """Whether a task has a word of programming, of markup or of a shell in it."""
    return _has(_CODE, task)


def asks_for_speech(task: str) -> bool:
    """Whether it asks for a text that speaks to somebody: a letter, a message, a dialogue, what a clerk says."""
    return _has(_SPEAKS, task)


def asks_for_story(task: str) -> bool:
    """Whether a poem, a song or a story is in question."""
    return _has(_CREATIVE, task)


def changes_a_text(task: str) -> bool:
    """Whether it asks to translate, to correct or to rewrite, so that the answer says what the input says."""
    return _has(_CHANGES_A_TEXT, task)


def asks_yes_or_no(task: str) -> bool:
    """Whether it holds a question to which "Of course!" is an answer."""
    return not _has(_CAN_YOU, task) and any(not _has(_ASKS_WHAT, asked[1]) for asked in _QUESTION.finditer(task))


def quotes(task: str, beginning: str) -> bool:
    """Whether a task names the beginning of a text in quotation marks."""
    lowered = task.lower()
    return any(f"{mark}{beginning.lower()}" in lowered for mark in "\"'`\u201c\u2018\u00ab\u201e\u300c")


def asks_for_label(task: str, label: str) -> bool:
    """Whether a task names a label: with a colon, as a tag or in quotation marks, or as what the reply begins with.

    A label that ends the task is the place where the answer goes, as in "Question: … Answer:".
    """
    name = re.escape(label)
    asked = (
        rf"[\"'`\u201c\u2018\u00ab\u201e\u300c*<\[]{name}[\"'`\u201d\u2019\u00bb\u300d*>\]]|"
        rf"\b(?:format|form of|structure|pattern|template|layout)\b[^\n]{{0,80}}(?<!\w){name}\s?[:\uff1a]|"
        rf"\b{_BEGIN}\w*\b[^.!?\n]{{0,60}}?\b(?:with|by|as|mit|par|con|com|met) (?:(?:the|an?|das|der|le|la|el|il|o) )?"
        rf"(?:(?:word|label|heading|title|prefix|phrase|line|term|tag|wort|mot|palabra|palavra|parola|woord) )?{name}"
        r"(?=$|[.,:;!?\n]| (?:and|then|followed|label|heading|und|et|y|e)\b)"
    )
    if _has(asked, task):
        return True
    if task.rstrip(" \t\r\n*_:\uff1a").lower().endswith(label.lower()):
        return False
    return _has(rf"(?<!\w){name}[*_]*\s?[:\uff1a]", task)


def _has(pattern: str, task: str) -> bool:
    """Whether a task matches somewhere; patterns are compiled when first used, as few answers ask for one."""
    return re.search(pattern, task, re.IGNORECASE) is not None
