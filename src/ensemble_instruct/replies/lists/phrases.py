# ruff: noqa: RUF001 - letters and marks of other scripts
"""How models begin and end a reply, and how they label a task: words of many languages.

They decide only where the place of a line does not show what it is.
"""

from __future__ import annotations

import re


def _any(*patterns: str) -> str:
    return f"(?:{'|'.join(patterns)})"


def _compiled(*patterns: str) -> re.Pattern[str]:
    return re.compile("".join(patterns), re.IGNORECASE)


_IS = r"(?:'|’)s"
_AM = r"(?:(?:'|’)m| am)"
_WOULD = r"(?:(?:'|’)d| would)"
_NEAR = r"\b[^.?!。？！]{0,80}"
"""Up to what is offered, in the same sentence."""
_AGREES = _compiled(
    _any(
        r"sure(?: thing)?|certainly|of course|absolutely|definitely|gladly|okay|ok|all ?right|great|perfect|got it",
        r"no problem|understood|with pleasure|happy to help",
        r"natürlich|gerne?|selbstverständlich|(?:alles )?klar",
        r"bien sûr|bien entendu|avec plaisir|d(?:'|’)accord|voilà",
        r"claro(?: que sí)?|por supuesto|desde luego|perfecto|com certeza|com prazer",
        r"certo|certamente|volentieri|con piacere|natuurlijk|graag|zeker|jasne|oczywiście",
        r"конечно|разумеется|хорошо|elbette|tabii(?: ki)?|بالطبع|بالتأكيد|बिल्कुल|ज़रूर",
        r"当然(?:可以)?|當然(?:可以)?|好的?|没问题|沒問題|もちろん(?:です)?|はい|(?:承知(?:いた)?|了解)しました",
        r"물론(?:입니다|이죠)?|네",
    ),
    r"\s?(?:[!.,:;。！，、：؛،…]|\s[-–—])+\s*",
)
"""A word of assent at the start of a reply, with the mark after it."""
_SHOWS = _compiled(
    _any(
        rf"(?:(?:so|and|now) )?(?:here (?:are|is|comes?)|here{_IS}|below (?:are|is)|continuing|come up with)\b.*"
        r"\b(?:tasks?|instructions?|prompts?|exercises?|more|another|additional|continu\w+)\b",
        r"hier (?:sind|ist|folgen|kommen|zijn)|voici|aquí (?:tienes?|están?|hay|van)|a continuación",
        r"aqui (?:estão|está|vão)|ecco|di seguito|här (?:är|kommer)|her er|oto|вот|ниже|işte|إليك|فيما يلي|यहाँ",
        r"以下|下面|这里|這裡|次の|다음",
    )
)
"""How a line begins that shows what follows it."""
_DECLINES = _compiled(
    _any(
        rf"i{_AM} (?:(?:very|so|really) )?(?:sorry|afraid|unable|not able)|sorry\b|i apologi[sz]e|my apologies",
        r"i (?:can(?:'|’)t|cannot|can not|won(?:'|’)t|will not|do not|don(?:'|’)t)\b",
        r"as an? (?:ai|language)|unfortunately",
        r"(?:es )?tut mir leid|leider|entschuldigung|(?:je suis )?désolée?|malheureusement|lo siento|lamentablemente",
        r"desculpe|sinto muito|infelizmente|mi dispiace|purtroppo|het spijt me|przepraszam|üzgünüm",
        r"извините|простите|к сожалению|抱歉|对不起|對不起|很遗憾|申し訳|すみません|ごめん|죄송|미안",
    )
)
"""How a reply begins that gives no task."""
_OFFERS = _any(
    _any(
        rf"would you like|do you (?:want|need)|(?:do you )?want me to|shall i|should i|(?:if|should) you{_WOULD}?",
        rf"i{_WOULD} be|i{_AM}|happy to",
    )
    + _NEAR
    + r"\b(?:more|another|others?|additional|further|different|any|help|me to|else|continue|adjust|change|modify)\b",
    _any(r"möchten sie|möchtest du|soll ich|(?:wenn|falls) (?:du|sie)|brauchst du|brauchen sie")
    + _NEAR
    + r"\b(?:mehr|weitere\w*|andere\w*|noch|hilfe)\b",
    _any(r"voulez-vous|souhaitez-vous|veux-tu|si (?:vous|tu)")
    + _NEAR
    + r"\b(?:plus|davantage|d(?:'|’)autres?|encore|aide|besoin)\b",
    _any(r"¿?(?:quieres?|te gustaría|le gustaría|deseas?|necesitas?)|si (?:necesitas?|quieres?|deseas?)")
    + _NEAR
    + r"\b(?:más|otr[ao]s?|ayuda)\b",
    _any(r"você (?:quer|gostaria)|gostaria|se (?:você|quiser|precisar)") + _NEAR + r"\b(?:mais|outr[ao]s?|ajuda)\b",
    _any(r"vuoi|vorresti|desideri|se (?:vuoi|hai|desideri)") + _NEAR + r"\b(?:altr[aeio]|ancora|più|aiuto|bisogno)\b",
    _any(r"wil je|als je|heb je") + _NEAR + r"\b(?:meer|andere|nog|hulp)\b",
    _any(r"если|хотите|нужны ли") + _NEAR + r"\b(?:ещё|еще|больше|други\w+|помощь)\b",
    r"would you like\s*:",
)
_ENDS = _compiled(
    _any(
        _OFFERS,
        r"let me know\b(?! (?:your|the|about|his|her|their)\b)|feel free",
        r"(?:i )?(?:sincerely )?hope (?:this|these|that|it|they|you)\b",
        r"is there anything (?:else|specific|in particular)|anything else|need (?:any )?more",
        r"i can (?:also )?(?:provide|write|generate|create|add|make|give|help|come)\b",
        r"these (?:tasks|instructions|prompts|exercises|ideas|should|cover|are (?:all|just|designed|meant))\b",
        r"(?:each|all|every)(?: one)?(?: of)?(?: the| these)? (?:tasks?|instructions?|prompts?|exercises?)\b",
        r"(?:notes?|p\.?s\.?|remarks?|hinweis|remarque|nota)\s?[:：*]",
        r"(?:please )?note that|please (?:let me know if|feel free)\b",
        rf"thanks?\b(?: you)?[ !.,]|that{_IS} (?:all|it)\b|there you (?:go|have)|enjoy[ !.]|good luck",
        r"lass(?:en sie)? (?:es )?mich wissen|(?:ich )?hoffe\b|viel (?:spaß|erfolg)|sag(?:en sie)? (?:mir|bescheid)",
        r"bei (?:fragen|bedarf)",
        r"n(?:'|’)hésite|j(?:'|’)espère|(?:dites|dis|faites|fais)-(?:le )?moi|bonne chance|ces tâches",
        r"espero|déjame|avísame|hazme saber|no dudes?|estas tareas|me avise|avise|fique à vontade|estas tarefas",
        r"fammi sapere|spero\b|queste attività|laat (?:het )?me weten|ik hoop|hoppas|mam nadzieję|daj mi znać|umarım",
        r"надеюсь|дайте знать|дай знать|обращайтесь|сообщите|أتمنى|हमें बताएं|मुझे बताएं",
        r"希望(?:这|這|以上|对|能)|如果?(?:您|你)?(?:需|还|還|有).{0,20}(?:更多|其他|帮助|幫助|调整|需要|问题)",
        r"请?告诉我|請?告訴我|请随时",
        r"(?:您|你)?(?:还|還)?(?:需要|想要?)我?.{0,12}(?:更多|其他|继续|繼續)|以上(?:是|就|が|の|は|です)",
        r"お役に立て|(?:他|ほか)に|さらに必要|必要(?:であれば|なら|に応じ)|ご希望|いかがでしょうか",
        r"도움이|더 (?:필요|원)|필요하(?:시)?면|원하(?:시)?면|언제든지|이 (?:과제|작업)들",
    )
)
"""How a line begins that ends a reply: an offer, a hope, a note."""
_BEFORE = re.compile(r"[^\w¿]*")
"""Marks, bold and pictures before the first word."""
COLON = re.compile(r"[:：]")
COLONS = (":", "：", ":**", "：**", "**:", "**：", ":__", ":*")
"""How a line ends that announces what follows."""


def assent(line: str) -> str:
    """The assent that a line begins with (`Sure! `), or the empty string."""
    found = _AGREES.match(line)
    return found[0] if found else ""


def is_opening(line: str) -> bool:
    """Whether a line only leads over to tasks: an assent alone, or a sentence that shows what follows it."""
    rest = _after_marks(line).rstrip()
    rest, agreed = rest[len(assent(rest)) :], bool(assent(rest))
    if not rest.strip("*_ "):
        return agreed
    return bool(_SHOWS.match(rest)) and (
        rest.endswith(COLONS) or (agreed and rest.endswith((".", "!")) and ":" not in rest)
    )


def is_refusal(line: str) -> bool:
    """Whether a reply that begins so declines to answer."""
    return bool(_DECLINES.match(_after_marks(line)))


def is_closing(line: str) -> bool:
    """Whether a line ends a reply: it offers more, hopes that the tasks help, or notes something on them."""
    return bool(_ENDS.match(_after_marks(line)))


def _after_marks(line: str) -> str:
    found = _BEFORE.match(line)
    return line[found.end() :] if found else line


NUMBERED_WORD = (
    r"tasks?|q|instructions?|prompt|question|exercise|problem|item|challenge|request|query|"
    r"aufgabe|anweisung|frage|übung|tâche|consigne|exercice|tarea|instrucción|pregunta|ejercicio|"
    r"tarefa|instrução|pergunta|exercício|compito|istruzione|attività|domanda|esercizio|taak|opdracht|instructie|vraag|"
    r"uppgift|fråga|opgave|oppgave|spørgsmål|spørsmål|tehtävä|kysymys|zadanie|polecenie|pytanie|úkol|úloha|otázka|"
    r"задача|задание|инструкция|вопрос|упражнение|завдання|питання|görev|talimat|soru|feladat|kérdés|sarcină|întrebare|"
    r"nhiệm vụ|bài tập|câu hỏi|tugas|instruksi|pertanyaan|εργασία|ερώτηση|משימה|שאלה|المهمة|مهمة|سؤال|تعليمات|وظیفه|"
    r"कार्य|निर्देश|प्रश्न|งาน|คำสั่ง|คำถาม|任务|任務|指令|题目|題目|问题|問題|练习|タスク|課題|指示|質問|작업|과제|지시|질문|문제"
)
"""What models call a task, as an alternative of a pattern; in any case."""
LABEL = re.compile(
    rf"(?P<bold>[*_]{{0,3}})\[?(?:(?:new|next|another|example|sample|your|the) )?(?:{NUMBERED_WORD})"
    r"(?: (?:description|text|statement))?\]?"
    r"(?:(?:\s?[#№]?\s?\d{1,4}|\s[A-Z])?[*_]{0,3}\s?[:：]|"
    r"\s?[#№]?\s?\d{1,4}[*_]{0,3}(?:\s?[.)．、]|\s[-–—])(?=\s|\*|$))[*_]{0,3}\s*",
    re.IGNORECASE,
)
"""A label before a task: `Task:`, `**Instruction**:`, `Aufgabe 3 -`."""
FIELD = re.compile(
    r"[*_]{0,3}(?:inputs?|options?|choices|texts?|context|examples?|sentences?|passage|article|hints?|outputs?|data|"
    r"eingabe|kontext|beispiel|entrée|contexte|exemple|entrada|contexto|ejemplo|exemplo|"
    r"esempio|вход|пример|текст|输入|輸入|选项|示例|例|入力|選択肢|입력|예시)"
    r"(?: \d+)?[*_]{0,3}\s?[:：]",
    re.IGNORECASE,
)
"""What a task brings with it, on a line of its own."""
_BEFORE_FIELD, _AFTER_FIELD = r"[*_#> \t-]{0,8}", r"(?: \d+)?[*_]{0,3}\s?[:：]"
SOLUTION = re.compile(
    rf"{_BEFORE_FIELD}(?:(?:expected|sample|example|possible|correct|model|suggested) )?"
    r"(?:outputs?|answers?|responses?|solutions?|ausgabe|antwort|lösung|sortie|réponse|salida|respuesta|solución|saída|"
    r"resposta|risposta|soluzione|uitvoer|antwoord|odpowiedź|ответ|решение|вывод|输出|輸出|答案|回答|出力|解答|答え|출력|답변|정답)"
    rf"{_AFTER_FIELD}",
    re.IGNORECASE,
)
"""What begins the solution of a task, on a line of its own: the task ends before it."""
INPUT = re.compile(
    rf"{_BEFORE_FIELD}(?:(?:example|sample) )?"
    rf"(?:inputs?|eingabe|entrée|entrada|invoer|вход|输入|輸入|入力|입력){_AFTER_FIELD}[*_ \t]*"
    r"(?P<none>[(\[<]?(?:none|n/?a|null|nil|nothing|empty|no input\b[a-z ]{0,20}|not (?:applicable|needed|required)|"
    r"[-–—]|keine?|aucune?|ninguna?|nenhuma?|nessuno|geen|нет|无|無|なし|없음)?[)\]>.]*[*_ \t]*$)?",
    re.IGNORECASE,
)
"""The input of a task on a line of its own; group `none` where it says that there is none."""
IMPERATIVES = _compiled(
    _any(
        r"add|analy[sz]e|answer|arrange|ask|assess|brainstorm|build|calculate|categori[sz]e|change|choose|classify|combine",
        r"compare|complete|compose|compute|condense|construct|continue|convert|correct|count|create|critique|decide|decode",
        r"define|describe|design|detect|determine|develop|discuss|draft|draw|edit|encode|estimate|evaluate|examine|expand",
        r"explain|extract|fill|find|fix|format|generate|give|group|guess|identify|imagine|improve|infer|invent|judge|justify",
        r"label|list|make|match|name|order|outline|paraphrase|plan|predict|prepare|propose|prove|provide|rank|rate|read",
        r"recommend|reformat|remove|rephrase|replace|reverse|rewrite|select|shorten|simplify|solve|sort|spell|split|state",
        r"suggest|summari[sz]e|tell|transform|translate|turn|use|verify|write",
        r"what|which|who|why|how|when|where|is|are|do|does|can|could|should|would|given|if|in",
        r"beantworte|berechne|beschreibe|erkläre|erstelle|finde|fasse|formuliere|gib|korrigiere|liste|löse|nenne|ordne",
        r"schreibe?|sortiere|übersetze|vergleiche|verfasse",
        r"analyse[rz]?|classe[rz]?|complète|corrige[rz]?|crée[rz]?|décri[sv]\w*|donne[rz]?|écri[sv]\w*|explique[rz]?",
        r"liste[rz]?|résume[rz]?|tradui\w*|trouve[rz]?",
        r"analiza|calcula|clasifica|completa|escrib[ae]|explica|ordena|resum[ae]|traduc[ei]\w*",
        r"traduza|escreva|explique|descreva|resuma|scrivi|spiega|riassumi|descrivi",
        r"напиши\w*|объясни\w*|опиши\w*|переведи\w*|назови\w*|реши\w*|исправь\w*|найди\w*|сравни\w*",
    ),
    r"\b|[写寫描解翻总總列比分找给給请請改修计計编編回补補纠將将把用]",
)
"""How an order or a question begins: such a text is no mere title."""
