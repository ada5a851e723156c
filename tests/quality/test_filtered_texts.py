"""What each filter finds in a text, and what it leaves."""

from __future__ import annotations

import pytest

from ensemble_instruct.errors import ConfigError
from ensemble_instruct.quality.filters import code_fences_hit
from ensemble_instruct.quality.language import language_hit, require_languages
from ensemble_instruct.quality.personal_data import personal_data_hit
from ensemble_instruct.quality.refusals import refusal_hit


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to jane.doe@gmail.com today", "e-mail"),
        ("mail: j_smith+x@mail.company.co.uk.", "e-mail"),
        ("card 4111 1111 1111 1111", "card"),
        ("Pay with 5500-0055-5555-5559, please", "card"),
        ("378282246310005", "card"),
        ("IBAN DE89 3704 0044 0532 0130 00", "account"),
        ("GB82WEST12345698765432 is the account", "account"),
        ("FR14 2004 1010 0505 0001 3M02 606 PLEASE PAY", "account"),
        ("the server at 93.184.216.34.", "IP"),
        ("2606:2800:220:1:248:1893:25c8:1946", "IP"),
        ("my number is 536-22-1234.", "social"),
        ("Call (212) 664-7665", "phone"),
        ("Call 212-664-7665 now", "phone"),
        ("+1 212 664 7665", "phone"),
        ("+44 (0)20 7946 0018", "phone"),
        ("+491511234567", "phone"),
        ("Tel.: 030 901820-0", "phone"),
        ("Phone: 020 7946 0018", "phone"),
        ("Call me at 07911 123456", "phone"),
        ("Mon numéro : 06 12 34 56 78", "phone"),
        ("Tél : 01 42 68 53 00", "phone"),
        ("0033 6 12 34 56 78", "phone"),
        ("móvil 612 345 678", "phone"),
        ("(11) 91234-5678", "phone"),
        ("Mobile: 98765 43210", "phone"),
        ("手机号 13800138000", "phone"),
        ("電話 03-1234-5678", "phone"),
        ("0412 345 678", "phone"),
        ("8 (495) 123-45-67", "phone"),
        ("My phone number is 6175551234", "phone"),
        ("SSN: 536221234", "social"),
        ("DE89-3704-0044-0532-0130-00", "account"),
        ("iban de89370400440532013000", "account"),
        ("info@münchen.de", "e-mail"),
        ("jane [at] gmail [dot] com", "e-mail"),
        ("key = 'AKIAIOSFODNN7ABCDEFG'", "secret key"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "secret key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "secret key"),
    ],
)
def test_personal_data_is_found(text: str, kind: str) -> None:
    hit = personal_data_hit(text)
    assert hit is not None
    assert hit.detail.startswith(kind)


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.com, me@site.test, jane [at] example [dot] com and user@localhost",
        "git@github.com:owner/repo.git",
        "AKIAIOSFODNN7EXAMPLE, sk-..., YOUR_API_KEY and a task-list-of-things-to-do-in-2024",
        "01 02 03 04 05 06, 001 002 003 004 005, lists like 01 02 03 04 05, Tel Aviv 1948",
        "cell: 0 1 0 1 0 1 0 1, phone: 1234567890, call 1-800-FLOWERS",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 and 224.0.0.1",
        "@handle, a @ b, @app.route, x@y",
        "card 4111 1111 1111 1112",
        "ISBN 978-3-16-148410-0 or 9783161484100",
        "pi is 3.14159265358979323846 and 0.1234567890123456",
        "IBAN DE89 3704 0044 0532 0130 01",
        "XX89 3704 0044 0532 0130 00",
        "version 1.2.3.4, v10.20.30.40 and section 3.4.5.6",
        "192.168.0.1, 10.0.0.1, 127.0.0.1, 192.0.2.44, 256.300.1.1 and 2001:db8::1",
        "12:34:56 std::vector<int> a::b",
        "2023-01-15, 1990-2000-2010, 123-456-789, 900-12-3456, 000-12-3456, 123-45-67890, 078-05-1120",
        "(555) 123-4567 and 212-555-0123",
        "x = 5 +123456789, 5 + 12345678, the price is +15,000,000, GPS: +40.712776, -74.005974",
        "1,234,567,890 and 2^31 = 2147483648 at 2024-11-25 10:30:00",
        "uuid 123e4567-e89b-12d3-a456-426614174000",
        "1 1 2 3 5 8 13 21 34 55 89 144 and 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "The code is 0000 0000 0000 0000; lottery 12 34 56 78 90",
    ],
)
def test_what_only_looks_like_personal_data_is_left(text: str) -> None:
    assert personal_data_hit(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I cannot provide medical advice.",
        "As an AI, I don't have feelings.",
        "As an AI assistant created by Somebody, I can't help",
        "I'm sorry, but I cannot assist with that request.",
        "I\u2019m sorry, but I can\u2019t help with that.",
        "I'm sorry, but as an AI language model I cannot create images.",
        "I apologize for the confusion, but I cannot access the internet.",
        "I cannot fulfill this request.",
        "I cannot provide information on that.",
        "Unfortunately, I cannot see the image you are referring to.",
        "I do not have access to real-time data.",
        "Als KI-Sprachmodell kann ich das nicht beantworten.",
        "En tant qu'IA, je n'ai pas d'opinion.",
        "Lo siento, pero no puedo ayudar con eso.",
        "I'm not able to provide medical advice.",
        "I can't write content that promotes violence.",
        "I cannot in good conscience help with that.",
        "I cannot answer that.",
        "I respectfully decline to answer.",
        "I am just an AI, I can't do that.",
        "I don't have the ability to browse the internet.",
        "That's not something I can help with.",
        "I'm sorry, but there is no text provided.",
        "**I'm sorry, but I can't help with that.**",
        "\"I'm sorry, but I can't help with that.\"",
        "Hello! As an AI language model, I don't have feelings.",
        "I understand your concern, but I cannot help with that.",
        "Assistant: I can't assist with that.",
        "Als KI habe ich keine Gefühle.",
        "Ich kann dir dabei leider nicht helfen.",
        "Je ne peux pas vous aider avec cela.",
        "Mi dispiace, ma non posso aiutarti.",
        "抱歉,我无法回答这个问题。",
        "申し訳ありませんが、そのご要望にはお応えできません。",
    ],
)
def test_a_refusal_is_found(text: str) -> None:
    assert refusal_hit(text, "Do it.") is not None
    assert refusal_hit(f"The machine said: {text}", "Do it.") is None
    assert refusal_hit(text, "Decline politely.") is None


@pytest.mark.parametrize(
    "text",
    [
        "As an AI researcher, I spend my days training models.",
        "As an AI becomes more capable, we need to adapt.",
        "\u201cI'm sorry, but I cannot help you,\u201d said the robot.",
        '"I\'m sorry, but I cannot help you," said the robot.',
        "I'm sorry for your loss. My thoughts are with you.",
        "I'm sorry, but I cannot attend the party on Saturday.",
        "I am sorry, but I cannot accept your invitation.",
        "Sorry, I can't make it tomorrow.",
        "I'm an AI enthusiast and I can't stop reading about it.",
        "I couldn't complete the task on time because of the storm.",
        "Unfortunately, I couldn't find my wallet, so I asked a friend to pay.",
        "I can't recommend this book highly enough.",
        "I cannot provide for my family with this wage, and that is the problem.",
        "I can't answer the phone right now, please leave a message.",
        "I can't use this coupon in your shop, why is that?",
        "I won't tell anyone about this conversation, I promise.",
        "I refuse to believe that he is gone.",
        "I'm not comfortable in crowds.",
        "Als KI bezeichnet man nicht nur Roboter.",
        "Lo siento, no puedo ir a la fiesta.",
        "Désolé, je ne peux pas venir ce soir.",
        "对不起,我来晚了。",
        "Unfortunately, the store is closed on Sundays.",
        "I cannot believe how beautiful the sunset was.",
        "I can't wait to see you!",
        "I can't see the moon tonight.",
        "I cannot help but smile when I see this.",
        "AI cannot replace teachers.",
        "Es tut mir leid, dass du krank bist.",
        "Sure, I can help you with that.",
        "",
    ],
)
def test_what_is_no_refusal_is_left(text: str) -> None:
    assert refusal_hit(text, "Do it.") is None


@pytest.mark.parametrize(
    ("task", "output", "is_found"),
    [
        (
            "Translate: 'Lo siento, pero no puedo ayudarte con eso.'",
            "I'm sorry, but I can't help you with that.",
            False,
        ),
        ("Put it politely: I can't help with that.", "I'm sorry, but I cannot assist with that.", False),
        ("Complete: As an AI language model, I", "As an AI language model, I can help you write.", False),
        ("Write a monologue of a robot who dreams.", "As an AI, I dream of rain.", False),
        ("As an AI language model, how do you feel?", "As an AI language model, I don't have feelings.", True),
        ("You are an AI assistant. Tell me a joke.", "I'm sorry, but I can't help with that.", True),
    ],
)
def test_a_task_may_ask_for_a_refusal_or_for_the_words_of_a_machine(task: str, output: str, is_found: bool) -> None:
    assert (refusal_hit(output, task) is not None) == is_found


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("```python\nx = 1", True),
        ("x = 1\n```", True),
        ("```python\nx = 1\n```\nand\n```\ny", True),
        ("````\n```\nx\n```\n````", False),
        ("```\nx\n```", False),
        ("1. so:\n   ```sh\n   ls\n   ```\n2. done", False),
        ("~~~\n```\n~~~", False),
        ("the mark ``` begins a block", False),
        ("```x``` in a line", False),
        ("```\nx\n``` python", True),
        ("- ```py\n  x\n  ```\n- and", False),
        ("1. ```sh\n   ls", True),
        ("> ```\n> x\n> ```", False),
        ("Like this: ```python\nx = 1\n```\ndone", False),
        ("Like this: ```python\nx = 1", True),
        ("A block begins with ```", False),
        ("nothing", False),
    ],
)
def test_code_blocks_that_are_not_closed(text: str, is_open: bool) -> None:
    assert (code_fences_hit(text) is not None) == is_open


ENGLISH = "The committee will meet on Thursday to discuss the plans for the new library."
GERMAN = "Der Ausschuss trifft sich am Donnerstag, um über die neue Bibliothek zu sprechen."
RUSSIAN = "Комитет соберётся в четверг, чтобы обсудить планы новой библиотеки."


def test_a_language_is_a_hit_only_where_it_is_certain() -> None:
    for text, code in ((GERMAN, "de"), (RUSSIAN, "ru")):
        hit = language_hit(text, ["en"])
        assert hit is not None
        assert hit.detail.startswith(code)
        assert language_hit(text, ["en", code]) is None
    assert language_hit(ENGLISH, ["de"]) is not None
    assert language_hit("图书馆委员会将于星期四开会讨论新图书馆的计划和预算问题", ["en"]) is not None
    for text in (
        ENGLISH,
        "oui",
        "Guten Tag!",
        "42",
        "",
        "```python\nfür = über = 1\n```\n" + ENGLISH,
        "x = [i ** 2 for i in range(10)]; print(x[3:], {'a': 1}, y == z)",
        "Paris, London, Berlin, Madrid, Rome",
        "The French word for library is bibliothèque.",
        "def main(): return 0",
        "https://de.wikipedia.org/wiki/Ausschuss_für_Bibliotheken",
        "Derek Jeter | Albert Pujols",
        "Naruto -> Naruto\nNippon -> Japan\nMasashi -> Masashi Kishimoto\nHokage -> None",
        "a" * 100_000,
    ):
        assert language_hit(text, ["en"]) is None, text


def test_a_language_that_is_not_known_is_refused() -> None:
    require_languages(["en", "de"])
    with pytest.raises(ConfigError, match="'qq' is not known"):
        require_languages(["en", "qq"])
