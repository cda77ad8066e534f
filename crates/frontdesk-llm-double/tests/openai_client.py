"""The double held against OpenAI's own Python client.

    python3 -m venv venv && venv/bin/pip install openai
    cargo run -p frontdesk-llm-double --example double -- 127.0.0.1:8089
    venv/bin/python crates/frontdesk-llm-double/tests/openai_client.py http://127.0.0.1:8089/v1
"""

import json
import sys
import urllib.request

import openai

BASE = sys.argv[1]
ROOT = BASE.removesuffix("/v1")
SYSTEM = """Choose what answers the caller.
- hours: Opening hours; "when are you open"; We are open from eight to five.
- senior: Senior discount; "is there a discount for seniors"; Seniors get ten percent off."""
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["choice", "outOfScope", "confidence"],
    "properties": {
        "choice": {"type": "string", "enum": ["hours", "senior", "none"]},
        "outOfScope": {"type": "boolean"},
        "confidence": {"type": "number"},
    },
}

client = openai.OpenAI(base_url=BASE, api_key="sk-none", max_retries=0, timeout=2)


def post(path, **body):
    request = urllib.request.Request(ROOT + path, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def stats():
    with urllib.request.urlopen(ROOT + "/stats") as response:
        return json.load(response)


def ask(words, strict=True, schema=SCHEMA):
    return client.chat.completions.create(
        model="gpt-6-luna",
        max_completion_tokens=60,
        messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": words}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "choice", "strict": strict, "schema": schema},
        },
    )


def plain():
    return client.chat.completions.create(model="gpt-6-luna", messages=[{"role": "user", "content": "Hello"}])


def raises(kind, code=None):
    try:
        plain()
    except openai.APIError as error:
        assert type(error) is kind, f"{type(error)} instead of {kind}"
        assert code is None or error.code == code, error.code
        return error
    raise AssertionError(f"no {kind}")


post("/control", mode="ok")
post("/reset")

# Answers by a schema.
answer = ask("do you have a senior discount")
said = json.loads(answer.choices[0].message.content)
assert said == {"choice": "senior", "outOfScope": False, "confidence": 0.95}, said
assert answer.choices[0].finish_reason == "stop" and answer.choices[0].message.refusal is None
usage = answer.usage
assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
assert usage.prompt_tokens_details.cached_tokens == 0
assert usage.completion_tokens_details.reasoning_tokens == 0
billed = usage.prompt_tokens * 100_000 + usage.completion_tokens * 500_000
assert stats()["billed"] == billed, stats()
assert json.loads(ask("insurance").choices[0].message.content)["choice"] == "none"

# Answers without one.
answer = plain()
assert isinstance(answer, openai.types.chat.ChatCompletion)
assert answer.choices[0].message.content and answer.choices[0].message.role == "assistant"

# The client's own parser.
parsed = client.chat.completions.parse(model="m", messages=[{"role": "user", "content": "Hello"}])
assert parsed.choices[0].message.content

# Models.
models = [model.id for model in client.models.list()]
assert "gpt-6-luna" in models, models
assert client.models.retrieve("gpt-6-luna").id == "gpt-6-luna"
assert stats()["probes"] == 2

# Errors are raised as what they are.
for status, kind in {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}.items():
    post("/control", mode="status", status=status)
    raises(kind)
post("/control", mode="status", status=429, retryAfter=7, code="slow_down")
error = raises(openai.RateLimitError, "slow_down")
assert error.response.headers["retry-after"] == "7"
post("/control", mode="quota")
error = raises(openai.RateLimitError, "insufficient_quota")
assert error.type == "insufficient_quota" and "retry-after" not in error.response.headers
try:
    client.models.list()
    raise AssertionError("models must fail as well")
except openai.RateLimitError:
    pass

# A schema that OpenAI refuses is refused.
post("/control", mode="ok")
try:
    ask("hello", schema={**SCHEMA, "required": ["choice"]})
    raise AssertionError("a strict schema with an optional property was taken")
except openai.BadRequestError as error:
    assert error.param == "response_format", error

# The line breaks.
post("/control", mode="close")
raises(openai.APIConnectionError)
post("/control", mode="cut", afterBytes=40)
raises(openai.APIConnectionError)
post("/control", mode="hang")
raises(openai.APITimeoutError)

# Odd answers that the client still takes.
for mode in ["refusal", "fenced", "reasoning", "truncated", "usageMissing", "usageAbsurd", "usageAbove", "emptyChoices"]:
    post("/control", mode=mode)
    answer = ask("do you have a senior discount")
    if mode == "refusal":
        assert answer.choices[0].message.refusal and answer.choices[0].message.content is None
    if mode == "truncated":
        assert answer.choices[0].finish_reason == "length"
    if mode == "usageAbove":
        assert answer.usage.completion_tokens == 120
    if mode == "usageMissing":
        assert answer.usage is None
    if mode == "reasoning":
        assert answer.usage.completion_tokens_details.reasoning_tokens > 0
    if mode == "emptyChoices":
        assert answer.choices == []

post("/control", mode="ok")
print(f"openai {openai.__version__} accepts the double: {stats()['calls']} calls")
