"""What instructions ask for: the verb at their root and its direct object (Self-Instruct, Wang et al. 2023, figure 3).

Without a parser by a simple rule: the first clause that begins with a verb of a list of common imperatives, and the
last word of what follows it up to a preposition or the like. With spaCy (the extra `verbs`) from a dependency parse.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ensemble_instruct.errors import UsageError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = _words("""
    abbreviate abridge accept act adapt add address adjust advise alphabetize amend analyse analyze annotate
    announce answer apply appraise argue arrange ask assemble assess assign assume attach attempt balance begin bind
    brainstorm break build bring calculate calm capitalize categorise categorize change characterize chart check
    choose cite clarify classify clean close code collect combine comment compare compile complete compose compress
    compute conclude condense conjugate connect consider construct contrast convert convince copy correct count
    craft create criticize critique cut date debate debug decide decipher declare decline decode deduce define
    delete demonstrate derive describe design detect determine develop devise diagnose differentiate discover
    discuss distinguish divide do double draft draw drop edit elaborate eliminate embed emphasize enumerate encode
    encrypt end ensure enter estimate evaluate examine exchange execute expand explain explore express extend
    extract fact-check factor figure fill filter find finish fix follow forecast form format formulate gather
    generate give greet group guess guide help highlight hypothesize identify illustrate imagine implement imitate
    improve include increase indicate infer inform insert inspect interpret invent introduce invite join judge
    justify keep label lengthen let link list listen locate look make map mark match measure mention merge model
    modify move multiply name narrate negate note number offer omit order organise organize outline paint pair
    paraphrase parse pick place plan play plot point predict prepare present print prioritize produce pronounce
    proofread propose prove provide punctuate put quote rank rate read rearrange recall recast recite recognize
    recommend reconstruct record rectify reduce refer reflect reformat reformulate refute reject relate remove
    rename render reorder reorganize repair repeat rephrase replace reply report represent request resolve respond
    restate restore restructure retell return reverse review revise reword rewrite rhyme round say schedule scan
    search select send separate set share shorten show simplify simulate sketch solve sort specify spell split spot
    start state strip structure study suggest sum summarise summarize supply support swap switch tag take talk teach
    tell test think tidy title trace transcribe transform translate transliterate treat trim try turn type underline
    understand undo unscramble update use validate verify visualize warn weigh write
""")
"""Common imperatives."""
_QUESTION = _words("""
    what which who whom whose when where why how is are was were do does did can could will would should shall may
    might has have had am
""")
"""Words that a question begins with."""
_POLITE = (
    "please", "kindly", "now", "then", "and", "also", "next", "first", "finally", "just", "simply", "so", "briefly",
    "carefully", "quickly", "but", "or", "to", "you must", "you should", "you need to", "you have to", "you are to",
    "your task is to", "your job is to", "your goal is to", "the task is to", "the goal is to", "i want you to",
    "i would like you to", "i'd like you to", "i need you to", "can you", "could you", "would you", "will you",
    "can you please", "could you please", "try to", "help me to", "help me", "i want to", "i need to", "let us",
    "let's", "in one sentence", "as an ai",
)  # fmt: skip
"""What may precede the verb."""
_BEFORE = _words("""
    a an the this that these those all any each every some both either no another other one two three four five six
    seven eight nine ten several many few more most my your our his her its their me us him them out up down off
    back following given same next whole entire only exactly just at least least such as into
""")
"""What may be between the verb and its object."""
_AFTER = _words("""
    of in on at to for from with without by about into onto over under between among through during before after
    against within across per via as than like regarding concerning based using if whether how why what when where
    which who whom whose that so such and or but because since while until unless then is are was were be been being
    has have had can could will would should may might must do does did not below above here there it they we i you
    he she given containing including having please
""")
"""What ends the phrase of the object."""
_NO_OBJECT = _words("if whether how why what when where which who whom whose because")
"""After a verb: what it asks for is a clause, not an object."""
_LONGEST = 6
"""Words of a phrase that are looked at: its object is the last of them."""
_CLAUSES = 8
"""Clauses of an instruction that are looked at."""
_CLAUSE = re.compile(r"[.!?:;,\n()\u2013\u2014]+\s*|\s-\s")
"""What separates clauses."""
_WORD = re.compile(r"[a-z]+(?:['\u2019-][a-z]+)*|\d[\d.,]*")
_OBJECTS = ("dobj", "obj", "oa", "obj:dir")
"""Labels of a direct object, which differ between models of spaCy."""
_NOUNS = ("NOUN", "PROPN")
_SENTENCES = 4
"""Of an instruction that the parser looks at."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A root verb, how many instructions have it, and its objects with their numbers, the most frequent first."""

    verb: str
    count: int
    objects: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbs:
    """The most frequent root verbs of some instructions."""

    instructions: int
    questions: int
    """Of the others those that ask rather than tell."""
    found: int
    """Those with a root verb."""
    different: int
    """How many different pairs of verb and object there are."""
    method: str
    top: tuple[Verb, ...]


def count_verbs(instructions: Iterable[str], model: str | None = None, *, most: int = 20, objects: int = 4) -> Verbs:
    """The root verbs of instructions, by the rule or by the spaCy model of this name.

    Raises `UsageError` where spaCy or the model is not installed.
    """
    texts = list(instructions)
    roots = list(_parsed(texts, model) if model else map(root_of, texts))
    pairs = Counter(root for root in roots if root is not None)
    verbs: Counter[str] = Counter()
    for (verb, _), count in pairs.items():
        verbs[verb] += count
    top = tuple(
        Verb(verb, count, _objects_of(verb, pairs, objects))
        for verb, count in sorted(verbs.items(), key=lambda item: (-item[1], item[0]))[:most]
    )
    questions = sum(root is None and _asks(text) for root, text in zip(roots, texts, strict=True))
    different = sum(1 for _, name in pairs if name)
    return Verbs(
        instructions=len(texts),
        questions=questions,
        found=pairs.total(),
        different=different,
        method=model or "rule",
        top=top,
    )


def _objects_of(verb: str, pairs: Counter[tuple[str, str]], most: int) -> tuple[tuple[str, int], ...]:
    own = [(name, count) for (of, name), count in pairs.items() if of == verb and name]
    return tuple(sorted(own, key=lambda item: (-item[1], item[0]))[:most])


def _asks(text: str) -> bool:
    clauses = _CLAUSE.split(text.lower())[:_CLAUSES]
    return any(words[0] in _QUESTION for clause in clauses if (words := _WORD.findall(clause)))


def root_of(instruction: str) -> tuple[str, str] | None:
    """(verb, object) by the rule; the object is empty where there is none, the whole None where no verb is found."""
    for clause in _CLAUSE.split(instruction.lower().replace("\u2019", "'"))[:_CLAUSES]:
        words = _WORD.findall(_without_courtesy(clause.strip()))
        if words and words[0] in VERBS:
            return words[0], _object_of(words[1:])
    return None


def _without_courtesy(clause: str) -> str:
    while True:
        polite = max((start for start in _POLITE if clause.startswith(f"{start} ")), key=len, default="")
        if not polite:
            return clause
        clause = clause[len(polite) + 1 :].lstrip()


def _object_of(words: list[str]) -> str:
    phrase: list[str] = []
    for word in words:
        if not phrase and word in _NO_OBJECT:
            return ""
        if not phrase and (word in _BEFORE or word[0].isdigit() or word.endswith("'s")):
            continue
        if word in _AFTER or (phrase and word.endswith(("ed", "ing", "ly"))):
            break
        phrase.append(word)
        if len(phrase) == _LONGEST:
            break
    return _singular(phrase[-1]) if phrase else ""


def _singular(noun: str) -> str:
    if len(noun) > 4 and noun.endswith("ies"):
        return f"{noun[:-3]}y"
    if noun.endswith(("sses", "shes", "ches", "xes", "zes")):
        return noun[:-2]
    return noun[:-1] if len(noun) > 3 and noun.endswith("s") and not noun.endswith(("ss", "us", "is")) else noun


def _parsed(instructions: list[str], model: str) -> Iterator[tuple[str, str] | None]:
    try:
        import spacy

        parser = spacy.load(model, exclude=["ner"])
    except ImportError as error:
        raise UsageError("--parser: spaCy is not installed; pip install 'ensemble-instruct[verbs]'") from error
    except OSError as error:
        raise UsageError(f"--parser {model}: no such spaCy model; python -m spacy download {model}") from error
    for document in parser.pipe(instructions, batch_size=128):
        yield next(filter(None, map(_root_in, list(document.sents)[:_SENTENCES])), None)


def _root_in(sentence: object) -> tuple[str, str] | None:
    root = sentence.root  # type: ignore[attr-defined]
    if root.pos_ != "VERB":
        return None
    nouns = (child for child in root.children if child.dep_ in _OBJECTS and child.pos_ in _NOUNS)
    objects = [child.lemma_.lower() for child in nouns]
    return root.lemma_.lower(), objects[0] if objects else ""
