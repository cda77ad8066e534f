#!/usr/bin/env python3
"""Compares our signature verification with the official one, request by request, in both directions.

    python3 crates/frontdesk-twilio/tests/oracle.py --requests 100000 --mutations 1000000

Random requests are signed as Twilio signs them, then changed; each is decided by `twilio` 9.13.0 of PyPI and by
`examples/verify_lines.rs`. The last line is `N requests, M mutations, K disagreements`; exit code 1 if K is not 0.

Where we promise more than the reference, the reference is asked under these rules, which `expected` states:
tokens sign with HMAC_SHA1 only, a settings header that names a key is for that key alone and with HMAC_SHA256 only,
the `#fragment` of a target is cut off first, and a form that does not decode is refused. A crash of the reference
counts as its refusal.
"""

import argparse
import base64
import functools
import hashlib
import hmac
import json
import logging
import multiprocessing
import os
import pathlib
import random
import string
import subprocess
import sys
import time
from urllib.parse import parse_qsl, quote, quote_plus

TWILIO = "9.13.0"
CRATE = pathlib.Path(__file__).resolve().parent.parent
BATCH = 2_000


def own_environment():
    """Makes a virtual environment with the reference, if this interpreter lacks it, and starts again inside it."""
    try:
        import twilio

        if twilio.__version__ == TWILIO:
            return
    except ImportError:
        pass
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    venv = cache / "frontdesk" / f"oracle-twilio-{TWILIO}"
    python = venv / "bin" / "python"
    if os.environ.get("FRONTDESK_ORACLE_STARTED"):
        sys.exit(f"twilio {TWILIO} cannot be imported in {venv}: remove the folder and try again")
    if not (venv / "installed").exists():
        print(f"installing twilio {TWILIO} into {venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"twilio=={TWILIO}"], check=True)
        (venv / "installed").touch()
    os.execve(python, [str(python), *sys.argv], {**os.environ, "FRONTDESK_ORACLE_STARTED": "1"})


def built(profile):
    """The path of the example, built now."""
    command = ["cargo", "build", "--quiet", "--package", "frontdesk-twilio", "--example", "verify_lines", "--profile", profile]
    lines = subprocess.run([*command, "--message-format", "json"], cwd=CRATE, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "verify_lines")


class Pairs(dict):
    """The parameters of a form, as the web frameworks of Python hand them to the reference."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs

    def getlist(self, name):
        return [value for key, value in self.pairs if key == name]


# What the reference must be told about a request; fields are those of examples/verify_lines.rs.


def decoded(body):
    """The parameters of an encoded body; ValueError if it does not decode."""
    for i, char in enumerate(body):
        if char == "%" and not (len(body[i + 1 : i + 3]) == 2 and all(c in string.hexdigits for c in body[i + 1 : i + 3])):
            raise ValueError("bad percent-encoding")
    return parse_qsl(body, keep_blank_values=True, errors="strict")


def expected(request, validators):
    from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, get_signature_algorithm

    signature, settings = request["signature"], request["settings"]
    if not signature:
        return False
    algorithm = get_signature_algorithm(settings)
    key = None
    for part in (settings or "").split(","):
        name, _, value = part.partition("=")
        if name.strip() == "key" and value.strip():
            key = value.strip()
            break
    if key is None:
        secrets = [s for s in (request["current"], request["previous"]) if s] if algorithm.upper() == HMAC_SHA1 else []
    else:
        named = [secret for known, secret in request["shared"] if known == key][:1]
        secrets = named if algorithm.upper() == HMAC_SHA256 else []
    try:
        body = request["json"] if request["json"] is not None else Pairs(decoded(request["form"]))
    except ValueError:
        return False
    url = request["public"] + request["target"].split("#")[0]

    def valid(secret):
        try:
            return validators(secret).validate(url, body, signature, algorithm)
        except (TypeError, ValueError):
            return False

    return any(valid(secret) for secret in secrets)


# Random requests.

ODD = [
    "", " ", "  two  ", "a&b=c", "50% off + more", "ñáéíóú", "日本語", "🙂 ok", "line\r\nbreak", "<b>&amp;</b>", "'\"`", "%41", "%",
    "+1 (415) 867-5309", "U\u0308nïcode", "\u2028", "a;b", "\0", "\u202e", "\ufeff", "=", "==", "\x7f", "e\u0301", "\uffff", "👨\u200d👩\u200d👧",
]
NAMES = [
    "CallSid", "AccountSid", "From", "To", "Caller", "Called", "Digits", "SpeechResult", "Confidence", "Reason", "ReasonConferenceEnded",
    "Sid", "SidAccount", "callSid", "CALLSID", "Zebra", "zebra", "Überschrift", "名前", "🙂", "", "a b", "a=b", "a&b", "a+b", "a%b",
]
HOSTS = ["example.com", "Frontdesk.Example.COM", "user@example.com", "user:pass@example.com", "127.0.0.1", "[::1]", "[2001:DB8::1]", "a-b_c.example", "u%40x@example.com", "example.com."]
PORTS = ["", "", "", ":443", ":80", ":8443", ":8080", ":1", ":0443", ":65535"]
SEGMENTS = ["voice", "v2-agent-respond", "507f1f77bcf86cd799439011", "", "España", "a%20b", "%41", "%e4", "a;b", "a;", ";", ";;", ";x;", "a:b", "@", "~", "..", "x=1", "*", "'", "%27", "[", "]", "\\", "a b", "|"]
QUERIES = ["zz=1", "zz=hello%20world", "yy=test%2Bvalue", "zz=", "yy", "", "zz=%C3%B1", "zz=1", "zz=%2F%3F", "a+b=c+d", "u=https://x:8443/y", "q='", "q=%27", "q=@*~%7e", "q=%3A:%3a", "año=2023", "?", "a?b", ";", "a;b=1", "%", "%zz", "s=Ab3_-", "bodySHA256=", "bodySHA256=00", "x[]=1", "\"", "a b", "/", "//h"]
FRAGMENTS = ["", "", "", "", "", "", "", "", "", "#", "#rc=3&rp=5xx", "#a#b", "#?a"]


def text(r):
    return r.choice(ODD) if r.random() < 0.4 else "".join(r.choices(string.printable[:95] + "éßøЖ中", k=r.randint(0, 24)))


def encoded(r, pairs):
    q = r.choice([quote_plus, functools.partial(quote, safe=""), functools.partial(quote, safe="!*'();:@,/?~")])
    if r.random() < 0.1:
        q = lambda s, q=q: q(s).replace("%C3", "%c3").replace("%2B", "%2b")
    return "&".join(f"{q(name)}={q(value)}" if value or r.random() < 0.8 else q(name) or "=" for name, value in pairs)


def target_of(r):
    path = "/" + "/".join(r.choices(SEGMENTS, k=r.randint(0, 4)))
    if r.random() < 0.02:
        path = ""
    query = "?" + "&".join(r.choices(QUERIES, k=r.randint(0, 3))) if r.random() < 0.6 else ""
    return path + query


def secret_of(r):
    return r.choice(["".join(r.choices("0123456789abcdef", k=32)), "".join(r.choices(string.printable[:95] + "ñ🙂", k=r.randint(1, 90)))])


def signed(secret, url, pairs, sha=hashlib.sha1):
    """Signs as Twilio does, independently of the reference."""
    joined = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.new(secret.encode(), joined.encode(), sha).digest()).decode()


def settings_of(r, key, algorithm="HMAC_SHA256"):
    fields = [f"key={key}", f"algorithm={algorithm}"]
    if r.random() < 0.3:
        fields.insert(r.randrange(3), r.choice(["version=1", "", "x", "=", "key=", "algorithm="]))
    if r.random() < 0.2:
        fields.reverse()
    return r.choice([",", ",", ", ", " ,\t"]).join(fields)


def new_request(r):
    """A request as Twilio sends it, and what is needed to sign it anew."""
    scheme = r.choice(["https", "https", "https", "http", "HTTPS", "wss", "ws"])
    host, port = r.choice(HOSTS), r.choice(PORTS)
    public = f"{scheme}://{host}{port}"
    target = target_of(r)
    secrets = {"current": secret_of(r), "previous": secret_of(r) if r.random() < 0.4 else None, "shared": [[f"webhooks_sharedkey_{i}{r.randrange(100)}", secret_of(r)] for i in range(r.choice([0, 0, 1, 2]))]}
    form, body, pairs = "", None, []
    if r.random() < 0.1:
        body = r.choice(["", "{}", '{"property": "value", "boolean": true}', text(r)])
        digest = hashlib.sha256(body.encode()).hexdigest()
        if r.random() < 0.9:
            name = r.choice(["bodySHA256", "bodySHA256", "body%53HA256"])
            target += ("&" if "?" in target else "?") + f"{name}={digest}"
    else:
        for _ in range(r.choice([0, 1, 3, 8, 14])):
            name = r.choice(NAMES)
            pairs += [(name, text(r)) for _ in range(r.choice([1, 1, 1, 2, 3]))]
        pairs += r.choices(pairs, k=r.choice([0, 0, 1])) if pairs else []
        r.shuffle(pairs)
        form = encoded(r, pairs)
    request = {"public": public, "target": target, "form": form, "json": body, "settings": None, **secrets}
    sign(r, request, pairs)
    request["target"] += r.choice(FRAGMENTS)
    return request, pairs


def prefix_of(r, public):
    """Scheme and authority as Twilio may sign them."""
    scheme, _, authority = public.partition("://")
    host = authority.rpartition("@")[2]
    standard = ":443" if scheme.lower() == "https" else ":80"
    variants = [public, scheme.lower() + "://" + authority]
    if ":" not in host.rpartition("]")[2]:
        variants += [variants[1] + standard, variants[1] + standard]
    else:
        variants += [variants[1].rpartition(":")[0], variants[1].partition("://")[0] + "://" + authority.split(":")[0]]
    return r.choice(variants)


def sign(r, request, pairs):
    """Signs a request with one of its secrets. Delimiters that nothing follows are sometimes left out."""
    target = request["target"].split("#")[0]
    if r.random() < 0.9:
        path, mark, query = target.partition("?")
        segment = path.rpartition("/")[2]
        path = path.removesuffix(";") if segment.find(";") == len(segment) - 1 and request["public"][0] in "hH" else path
        target = path + (mark + query if query else "")
    url = prefix_of(r, request["public"]) + target
    if request["shared"] and r.random() < 0.6:
        key, secret = r.choice(request["shared"])
        request["settings"] = settings_of(r, key)
        request["signature"] = signed(secret, url, pairs, hashlib.sha256)
    else:
        secret = request["previous"] if request["previous"] and r.random() < 0.5 else request["current"]
        request["settings"] = r.choice([None, None, None, "", "algorithm=HMAC_SHA1", "key=", "foo=bar", " algorithm = hmac_sha1 "])
        request["signature"] = signed(secret, url, pairs)


# Mutations: each changes one request a little. Some leave it valid, and then both sides must still accept it.


def flipped(r, s, alphabet=string.ascii_letters + string.digits + "+/=-_ %&é"):
    i = r.randrange(len(s) + 1)
    return r.choice([s[:i] + r.choice(alphabet) + s[i + 1 :], s[:i] + r.choice(alphabet) + s[i:], s[:i] + s[i + 1 :]])


def mutate_signature(r, q, pairs):
    s = q["signature"]
    q["signature"] = r.choice([None, "", "NOT" + s, s.lower(), s[:-1], s + "=", " " + s, s + " ", s.rstrip("="), s.replace("+", "-").replace("/", "_"), flipped(r, s), flipped(r, s), s + "é", signed(q["current"] or "x", "", [])])


def mutate_form(r, q, pairs):
    q["form"] = flipped(r, q["form"], string.ascii_letters + "%%&=+;é0")


def mutate_pairs(r, q, pairs):
    if pairs:
        i = r.randrange(len(pairs))
        name, value = pairs[i]
        change = [[], [pairs[i], pairs[i]], [(name, flipped(r, value))], [(flipped(r, name), value)], [(name.swapcase(), value)], [(name, value.strip())], [(name, value + " ")], [(name + value, "")], [("", name + value)], [(name, "")]]
        pairs = pairs[:i] + r.choice(change) + pairs[i + 1 :]
    else:
        pairs = [(r.choice(NAMES), text(r))]
    if r.random() < 0.3:
        pairs = r.sample(pairs, len(pairs))
    q["form"] = encoded(r, pairs)


def mutate_target(r, q, pairs):
    t = q["target"]
    q["target"] = r.choice([
        lambda: flipped(r, t, string.ascii_letters + "/?&;=%'~é:@"), lambda: t + ("&" if "?" in t else "?") + "q=1", lambda: t.split("?")[0], lambda: t + "?", lambda: t.replace("?", "/?", 1), lambda: t + "/", lambda: t.removesuffix("/"),
        lambda: t.replace("'", "%27"), lambda: t.replace("%27", "'"), lambda: t.replace("%3A", "%3a"), lambda: t.replace("//", "/"), lambda: t + "#x", lambda: t.split("#")[0], lambda: t.replace(";", "%3B"), lambda: t + ";", lambda: t.replace(";", ""),
        lambda: t.replace("+", "%20"), lambda: quote(t, safe="/?&=%;#:"), lambda: target_of(r), lambda: t.upper(), lambda: t.replace("bodySHA256=", "bodySHA256=&bodySHA256="),
    ])()
    # A target that does not begin a path would continue the host; that we refuse it has a test of its own.
    if q["target"] and q["target"][0] not in "/?#":
        q["target"] = "/" + q["target"]


def mutate_public(r, q, pairs):
    scheme, _, authority = q["public"].partition("://")
    q["public"] = r.choice([f"http://{authority}", f"https://{authority}", f"{scheme}://{r.choice(HOSTS)}{r.choice(PORTS)}", f"{scheme}://{authority.swapcase()}", f"{scheme}://{authority.rpartition('@')[2]}", f"{scheme.swapcase()}://{authority}"])


def mutate_settings(r, q, pairs):
    keys = [key for key, _ in q["shared"]] + ["webhooks_sharedkey_unknown", ""]
    q["settings"] = r.choice([None, "", f"key={r.choice(keys)}", "algorithm=HMAC_SHA256", "key", ",", flipped(r, q["settings"] or "key=,algorithm=HMAC_SHA1", string.ascii_letters + ",= "), settings_of(r, r.choice(keys), r.choice(["HMAC_SHA1", "HMAC_SHA256", "hmac_sha256", "HMAC_MD5", "", "HMAC_SHA"]))])


def mutate_secrets(r, q, pairs):
    change = r.randrange(5)
    if change == 0:
        q["current"] = secret_of(r)
    elif change == 1:
        q["previous"] = None
    elif change == 2:
        q["current"], q["previous"] = q["previous"], q["current"]
    elif change == 3:
        q["shared"] = [[key, q["current"] or secret_of(r)] for key, _ in q["shared"]]
    else:
        q["shared"] = [[key, secret_of(r)] for key, _ in q["shared"]]


def mutate_signing(r, q, pairs):
    """A signature made in a wrong way."""
    secret = q["current"] or secret_of(r)
    url = q["public"] + q["target"]
    wrong = r.randrange(6)
    if wrong == 0:  # sorts joined strings, not names
        joined = url + "".join(sorted({name + value for name, value in pairs}))
        q["signature"] = base64.b64encode(hmac.new(secret.encode(), joined.encode(), hashlib.sha1).digest()).decode()
    elif wrong == 1:  # the other algorithm
        q["signature"] = signed(secret, url, pairs, hashlib.sha256)
    elif wrong == 2:  # a shared key at the token's place
        q["signature"], q["settings"] = signed(q["shared"][0][1] if q["shared"] else secret, url, pairs), None
    elif wrong == 3:  # without the parameters
        q["signature"] = signed(secret, url, [])
    elif wrong == 4:  # with standard and other ports
        q["signature"] = signed(secret, q["public"] + r.choice([":443", ":80", ":8443"]) + q["target"], pairs)
    else:  # raw and unreduced, or with the fragment
        q["signature"] = signed(secret, url + r.choice(["", "?", ";", "#x"]), pairs)


def mutate_json(r, q, pairs):
    if q["json"] is None:
        q["json"], q["form"] = (q["form"] if r.random() < 0.5 else ""), ""
    elif r.random() < 0.7:
        q["json"] = flipped(r, q["json"])
    else:
        q["form"], q["json"] = r.choice(["", "a=1"]), None


def mutate_resigned(r, q, pairs):
    """The same request, signed anew in another of the allowed ways: stays valid more often than not."""
    q["signature"], q["settings"] = None, None
    q["current"] = q["current"] or secret_of(r)
    sign(r, q, [] if q["json"] is not None else pairs)


MUTATIONS = [mutate_signature, mutate_form, mutate_pairs, mutate_pairs, mutate_target, mutate_target, mutate_public, mutate_settings, mutate_secrets, mutate_signing, mutate_json, mutate_resigned]


def mutated(r, request, pairs):
    changed = {**request, "shared": [list(pair) for pair in request["shared"]]}
    for _ in range(r.choice([1, 1, 1, 1, 2])):
        r.choice(MUTATIONS)(r, changed, pairs)
        if changed["signature"] is None:
            break
    return changed


def batch(job):
    """Runs some requests and mutations: their numbers, how many of each both accept, and the disagreements."""
    from twilio.request_validator import RequestValidator

    logging.disable(logging.WARNING)
    binary, seed, requests, mutations = job
    r = random.Random(seed)
    made, lines = [], []
    for i in range(requests):
        request, pairs = new_request(r)
        made.append((request, pairs))
        lines.append(request)
    lines += [mutated(r, *r.choice(made)) for _ in range(mutations)]
    stdin = "".join(json.dumps(line) + "\n" for line in lines)
    out = subprocess.run([binary], input=stdin.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(out) == len(lines), f"{len(out)} answers to {len(lines)} requests"
    validators = functools.lru_cache(maxsize=None)(RequestValidator)
    accepted, wrong = [0, 0], []
    for i, (line, said) in enumerate(zip(lines, out)):
        want = expected(line, validators)
        accepted[i >= requests] += want
        if want != said.startswith("accept "):
            wrong.append((line, want, said))
    return requests, mutations, accepted, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20_261_125)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--profile", default="release", help="cargo profile of the example")
    parser.add_argument("--binary", help="an example that is built already")
    args = parser.parse_args()
    binary = args.binary or built(args.profile)
    count = max(1, -(-(args.requests + args.mutations) // BATCH))
    part = lambda total, i: total * (i + 1) // count - total * i // count
    jobs = [(binary, f"{args.seed}/{i}", max(1, part(args.requests, i)), part(args.mutations, i)) for i in range(count)]
    requests = mutations = good = good_mutations = 0
    wrong, started, told = [], time.monotonic(), time.monotonic()
    with multiprocessing.Pool(args.workers) as pool:
        for n_requests, n_mutations, accepted, faults in pool.imap_unordered(batch, jobs):
            requests, mutations = requests + n_requests, mutations + n_mutations
            good, good_mutations = good + accepted[0], good_mutations + accepted[1]
            for line, want, said in faults[: max(0, 10 - len(wrong))]:
                print(f"reference {'accepts' if want else 'refuses'}, we {said}: {json.dumps(line, ensure_ascii=True)}", flush=True)
            wrong += faults
            if time.monotonic() - told > 5:
                told = time.monotonic()
                print(f"{requests} requests, {mutations} mutations so far, {told - started:.0f} s", flush=True)
    print(f"accepted by the reference: {good} of {requests} requests, {good_mutations} of {mutations} mutations; {time.monotonic() - started:.0f} s")
    print(f"{requests} requests, {mutations} mutations, {len(wrong)} disagreements")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    own_environment()
    main()
