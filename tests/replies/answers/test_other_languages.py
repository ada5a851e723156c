# ruff: noqa: RUF001 - letters of other scripts
"""The small talk of chat models in other languages than English goes, and what a text says to its readers stays."""

from __future__ import annotations

import pytest

from ensemble_instruct.replies.answers import clean_answer

FRAMED = [
    ("Natürlich! Hier ist die Übersetzung:\n\n{}\n\nLass mich wissen, wenn du noch Fragen hast!", "Übersetze: hello"),
    ("Gerne! Hier sind drei Farben:\n\n{}\n\nIch hoffe, das hilft dir weiter!", "Nenne drei Farben."),
    ("Antwort: {}\n\nMöchtest du, dass ich mehr Beispiele nenne?", "Nenne drei Farben."),
    ("Bien sûr ! Voici trois couleurs :\n\n{}\n\nN'hésitez pas à me demander plus d'exemples.", "Trois couleurs ?"),
    ("Réponse : {}\n\nSouhaitez-vous que je donne plus d’exemples ?", "Donne trois couleurs."),
    ("¡Claro! Aquí tienes tres colores:\n\n{}\n\n¿Quieres que te dé más ejemplos?", "Da tres colores."),
    ("Respuesta: {}\n\nEspero que esto te ayude. ¡Suerte!", "Da tres colores."),
    ("Claro! Aqui estão três cores:\n\n{}\n\nEspero que isso ajude!", "Cite três cores."),
    ("Certo! Ecco tre colori:\n\n{}\n\nFammi sapere se hai altre domande.", "Elenca tre colori."),
    ("Natuurlijk! Hier zijn drie kleuren:\n\n{}\n\nLaat het me weten als je nog vragen hebt!", "Noem drie kleuren."),
    ("Oczywiście! Oto trzy kolory:\n\n{}\n\nDaj mi znać, jeśli masz pytania!", "Podaj trzy kolory."),
    ("Конечно! Вот три цвета:\n\n{}\n\nЕсли у вас есть вопросы, дайте знать!", "Назови три цвета."),
    ("Ответ: {}\n\nНадеюсь, это поможет!", "Назови три цвета."),
    ("当然可以！以下是三种颜色：\n\n{}\n\n如果您有任何其他问题，请随时告诉我。", "说出三种颜色。"),
    ("好的，以下是三種顏色：\n{}\n\n希望這對你有幫助！", "說出三種顏色。"),
    ("答案：{}\n\n需要我再举几个例子吗？", "说出三种颜色。"),
    (
        "もちろんです！以下は三つの色です：\n\n{}\n\n他にご質問があれば、お気軽にお知らせください。",
        "三つの色を挙げて。",
    ),
    ("回答：{}\n\nお役に立てれば幸いです。", "三つの色を挙げて。"),
    ("물론입니다! 다음은 세 가지 색입니다:\n\n{}\n\n도움이 되었기를 바랍니다!", "색 세 가지를 말해 줘."),
    ("답변: {}\n\n더 궁금한 점이 있으면 언제든지 물어보세요!", "색 세 가지를 말해 줘."),
]


@pytest.mark.parametrize(("frame", "task"), FRAMED)
def test_small_talk_goes(frame: str, task: str) -> None:
    cleaned = clean_answer(frame.format("A, B, C"), task)
    assert cleaned.text == "A, B, C"
    assert len(cleaned.removed) == 2


@pytest.mark.parametrize(
    ("answer", "task"),
    [
        ("Sehr geehrte Frau Kern,\n\nwir öffnen um 9.\n\nBitte lassen Sie mich wissen, ob es passt.", "Schreib ihr."),
        ("Wir öffnen um 9.\n\nLass mich wissen, ob du kommst!", "Schreibe eine Nachricht an Tom."),
        ("Ruhe dich aus.\n\nBei Fragen wende dich an deinen Arzt.", "Was hilft bei Husten?"),
        ("Die drei Farben sind:\n\n- rot", "Nenne drei Farben."),
        ("Reposez-vous.\n\nSi vous avez des questions, n'hésitez pas à contacter votre médecin.", "Un rhume ?"),
        ("Mélangez.\n\nN'hésitez pas à ajouter du sel.", "Une recette ?"),
        ("Descansa.\n\nSi tienes dudas, no dudes en consultar a tu médico.", "¿Qué hago?"),
        ("Отдыхайте.\n\nЕсли есть вопросы, обращайтесь к врачу.", "Что делать при простуде?"),
        ("多休息。\n\n如果您有发烧，请咨询医生。", "感冒了怎么办？"),
        ("休んでください。\n\n何か症状がある場合は、医師に相談してください。", "風邪のときは？"),
        ("尊敬的李先生：\n\n我们九点开门。\n\n如果您有任何问题，请随时告诉我。", "通知李先生。"),
        ("쉬세요.\n\n질문이 있으면 병원에 문의하세요.", "감기에 걸리면?"),
    ],
)
def test_what_a_text_says_to_its_readers_stays(answer: str, task: str) -> None:
    assert clean_answer(answer, task) == (answer, ())
