"""The Python client of OpenAI asks the daemon what programs ask a language model: openai_client.py BASE_URL"""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="unused", max_retries=0)
print("openai", openai.__version__)

models = client.models.list().data
assert len(models) == 1, models
model = models[0].id
assert client.models.retrieve(model).id == model

prompt = "You arrive at drawer 1. The drawer 1 is closed."
whole = client.completions.create(model=model, prompt=prompt, max_tokens=24, temperature=0)
text = whole.choices[0].text
assert text and whole.choices[0].finish_reason in ("stop", "length"), whole
assert 0 < whole.usage.completion_tokens <= 24, whole.usage
stream = client.completions.create(model=model, prompt=prompt, max_tokens=24, temperature=0, stream=True)
assert "".join(piece.choices[0].text for piece in stream) == text
print("completion:", repr(text))

messages = [
    {"role": "system", "content": "put a fork in countertop"},
    {"role": "user", "content": prompt},
]
chat = client.chat.completions.create(model=model, messages=messages, max_completion_tokens=24, temperature=0)
said = chat.choices[0].message
assert said.role == "assistant" and said.content is not None, chat
pieces, usage = [], None
for piece in client.chat.completions.create(
    model=model,
    messages=messages,
    max_completion_tokens=24,
    temperature=0,
    stream=True,
    stream_options={"include_usage": True},
):
    usage = piece.usage or usage
    pieces += [choice.delta.content or "" for choice in piece.choices]
assert "".join(pieces) == said.content, (pieces, said.content)
assert usage == chat.usage, (usage, chat.usage)
print("chat:", repr(said.content))

schema = {
    "type": "object",
    "properties": {"place": {"enum": ["drawer 1", "fridge 1"]}, "open": {"type": "boolean"}},
    "required": ["place", "open"],
    "additionalProperties": False,
}
formed = client.chat.completions.create(
    model=model,
    messages=messages,
    max_completion_tokens=64,
    response_format={"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": schema}},
)
assert formed.choices[0].finish_reason == "stop", formed
value = json.loads(formed.choices[0].message.content)
assert value["place"] in ("drawer 1", "fridge 1") and isinstance(value["open"], bool), value
print("json:", value)

for wrong, kind in [
    ({"model": "other", "prompt": prompt}, openai.NotFoundError),
    ({"model": model, "prompt": prompt, "n": 2}, openai.BadRequestError),
    ({"model": model, "prompt": prompt, "max_tokens": 10**6}, openai.BadRequestError),
    ({"model": model, "prompt": prompt, "extra_body": {"grammar": "root ::= ["}}, openai.BadRequestError),
]:
    try:
        client.completions.create(**wrong)
        sys.exit(f"{wrong} was answered")
    except kind as error:
        assert error.code and error.type and error.body["message"], error.body
        print(kind.__name__, "-", error.body["message"])
print("ok")
