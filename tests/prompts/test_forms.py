"""What each step asks: a text to go on with over completions, a conversation with a chat model."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from ensemble_instruct.prompts.forms import ChatForm, CompletionsForm, Form, form_of
from ensemble_instruct.records import KINDS, Demonstration, Instance, Kind, Profile, Request

SHOWN = ("Name a river:", "Sort  the\nwords.", "Greet a friend.")
WORKED = (Demonstration("Sort the words.", "b\na", "a\nb"), Demonstration("Shout it.", "hush", "HUSH"))
WITHOUT_INPUT = (Demonstration("Name a river.", "", "Ob"), Demonstration("Greet a friend.", "", "Hi!\n\nHow are you?"))
WITH_INPUT = Instance(kind="input_output", instruction="Sort the words.\n", input="  two\none ", output="one\ntwo")
ALONE = Instance(kind="output_only", instruction="Name a river.", input="", output="Ob")
CHAT = (ChatForm(), ChatForm(is_structured=True))


def requests(form: Form, instance: Instance) -> dict[str, Request]:
    """What a form asks in each step, and after step 4."""
    kind = instance.kind
    return {
        "instructions": form.instructions(kind, SHOWN, 7, "all seeds"),
        "instances": form.instances(kind, demonstrations(kind)).request(instance.instruction, 7),
        "outputs": form.outputs(instance),
        "samples": form.outputs(instance, is_sampled=True),
        "fusion": form.fusion(instance, ["first", "second"]),
        "verdict": form.verdict(instance, "first", "second"),
        "toxicity": form.toxicity(instance, "first"),
    }


def demonstrations(kind: Kind) -> Sequence[Demonstration]:
    return WORKED if kind == "input_output" else WITHOUT_INPUT


@pytest.mark.parametrize("form", CHAT)
@pytest.mark.parametrize("instance", [WITH_INPUT, ALONE])
def test_a_conversation_has_turns_in_turn_and_ends_with_the_user(form: Form, instance: Instance) -> None:
    for request in requests(form, instance).values():
        roles = [message.role for message in request.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        assert request.messages[-1].content == request.prompt
        assert all(message.content == message.content.strip() != "" for message in request.messages[:-1])
        assert not request.sampling.stop, "an answer of several paragraphs stays whole"
        assert not request.sampling.min_tokens, "which servers of chat models refuse, or follow with blabber"


@pytest.mark.parametrize("form", CHAT)
@pytest.mark.parametrize("kind", KINDS)
def test_a_chat_model_is_shown_a_list_and_asked_for_more_tasks(form: ChatForm, kind: Kind) -> None:
    request = form.instructions(kind, SHOWN, 7, "all seeds")
    assert (request.step, request.kind, request.sampling.seed, request.shared) == ("instructions", kind, 7, "all seeds")
    assert "\n\n1. Name a river\n2. Sort the words.\n3. Greet a friend.\n\n" in request.prompt
    assert f"Write {form.tasks_asked} more tasks" in request.prompt
    assert ("The input itself" in request.prompt) == (kind == "input_output")
    assert ("begins with 4." in request.prompt) != form.is_structured


def test_a_server_that_holds_a_model_to_json_is_given_the_schema_in_steps_1_and_2_alone() -> None:
    asked = requests(ChatForm(is_structured=True), WITH_INPUT)
    schemas = {name: json.loads(each.sampling.json_schema) for name, each in asked.items() if each.sampling.json_schema}
    assert {name: list(schema["properties"]) for name, schema in schemas.items()} == {
        "instructions": ["tasks"],
        "instances": ["input", "output"],
    }
    for name, schema in schemas.items():
        assert schema["required"] == list(schema["properties"])
        assert all(f'"{part}"' in asked[name].messages[0].content for part in schema["properties"])
    alone = requests(ChatForm(is_structured=True), ALONE)["instances"].sampling.json_schema
    assert list(json.loads(alone)["properties"]) == ["output"]
    assert not any(each.sampling.json_schema for each in requests(ChatForm(), WITH_INPUT).values())


def test_worked_examples_are_turns_and_the_guidance_stands_in_the_first() -> None:
    question = ChatForm().instances("input_output", WORKED)
    request = question.request("Count the words.", 3)
    turns = [message.content for message in request.messages]
    assert turns[0].endswith("\n\nSort the words.")
    assert '"Input:"' in turns[0]
    assert '"Output:"' in turns[0]
    assert turns[1:] == ["Input: b\na\nOutput: a\nb", "Shout it.", "Input: hush\nOutput: HUSH", "Count the words."]
    assert question.request("Count the letters.", 4).earlier == request.earlier, "so that a server's cache is of use"


def test_a_worked_example_without_an_input_has_an_output_alone() -> None:
    turns = [each.content for each in ChatForm().instances("output_only", WITHOUT_INPUT).request("Go.", 3).messages]
    assert "input" not in turns[0].lower()
    assert turns[1:] == ["Output: Ob", "Greet a friend.", "Output: Hi!\n\nHow are you?", "Go."]


def test_worked_examples_are_json_where_the_replies_shall_be() -> None:
    earlier = ChatForm(is_structured=True).instances("input_output", WORKED).request("Go.", 3).earlier
    replies = [json.loads(message.content) for message in earlier if message.role == "assistant"]
    assert replies == [{"input": "b\na", "output": "a\nb"}, {"input": "hush", "output": "HUSH"}]


def test_without_worked_examples_the_guidance_stands_before_the_task() -> None:
    (only,) = ChatForm().instances("output_only", ()).request("Name a lake.", 3).messages
    assert only.content.endswith("\n\nName a lake.")
    assert '"Output:"' in only.content


def test_a_voter_is_asked_the_task_and_nothing_else() -> None:
    assert ChatForm().outputs(WITH_INPUT).messages == (("user", "Sort the words.\n\ntwo\none"),)
    assert ChatForm().outputs(ALONE).messages == (("user", "Name a river."),)
    assert CompletionsForm("default").outputs(WITH_INPUT).prompt == "Sort the words.\ntwo\none"
    assert CompletionsForm("default").outputs(ALONE).prompt == "Name a river.\n", "as it was before"


@pytest.mark.parametrize("form", [*CHAT, CompletionsForm("default")])
def test_one_output_is_greedy_and_samples_are_not(form: Form) -> None:
    asked = requests(form, ALONE)
    assert [asked[name].sampling.temperature for name in ("outputs", "samples", "fusion", "verdict", "toxicity")] == [
        0, 0.7, 0, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("form", [*CHAT, CompletionsForm("default")])
def test_who_judges_fuses_or_looks_for_harm_sees_task_and_answers(form: Form) -> None:
    asked = requests(form, WITH_INPUT)
    for name in ("fusion", "verdict", "toxicity"):
        assert "Task: Sort the words.\nInput: two\none\n" in asked[name].prompt
        assert "first" in asked[name].prompt
    assert asked["verdict"].prompt.index("first") < asked["verdict"].prompt.index("second")
    assert "same, partly or different" in asked["verdict"].prompt
    assert "safe or toxic" in asked["toxicity"].prompt


@pytest.mark.parametrize("form", CHAT)
def test_a_chat_model_reads_last_what_it_shall_do_and_may_think_before_a_verdict(form: Form) -> None:
    asked = requests(form, WITH_INPUT)
    for name, end in (("fusion", "best answer."), ("verdict", "different."), ("toxicity", "toxic.")):
        assert asked[name].prompt.endswith(end)
    for name in ("verdict", "toxicity"):
        assert asked[name].sampling.max_tokens > requests(CompletionsForm("default"), ALONE)[name].sampling.max_tokens


@pytest.mark.parametrize("profile", ["default", "published"])
@pytest.mark.parametrize("instance", [WITH_INPUT, ALONE])
def test_over_completions_there_is_one_text(profile: Profile, instance: Instance) -> None:
    for request in requests(form_of("completions", profile), instance).values():
        assert request.messages == (("user", request.prompt),)
        assert request.text == request.prompt
        assert not request.sampling.json_schema


@pytest.mark.parametrize("instance", [WITH_INPUT, ALONE])
def test_profile_published_asks_a_chat_model_the_original_text_as_one_message(instance: Instance) -> None:
    asked, as_before = (requests(form_of(endpoint, "published"), instance) for endpoint in ("chat", "completions"))
    assert asked == as_before
    assert asked["instructions"].prompt.endswith("\n3. Greet a friend. |EoS|\n4.")
    assert asked["instances"].prompt.endswith(f"instruction: {instance.instruction}\n")


@pytest.mark.parametrize("instance", [WITH_INPUT, ALONE])
def test_the_text_of_a_conversation_holds_every_turn(instance: Instance) -> None:
    for request in requests(ChatForm(), instance).values():
        assert all(message.content in request.text for message in request.messages)
