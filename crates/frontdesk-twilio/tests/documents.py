#!/usr/bin/env python3
"""Builds documents again with the official SDK, so that no element or attribute in them is one that it does not know.

    python3 crates/frontdesk-twilio/tests/documents.py DIR

Each `*.xml` in DIR is rebuilt with the classes of `twilio` 9.13.0 of PyPI: an element must be a method of the class of
the one around it, an attribute one of that method's named parameters; what they write must be the document. The last
line is `N documents, E elements, K faults`; exit code 1 if K is not 0.
"""

import argparse
import inspect
import pathlib
import re
import sys
import xml.etree.ElementTree as tree

from oracle import own_environment

# Keywords of Python, which the SDK writes with an underscore.
RENAMED = {"from": "from_"}


def snake(name):
    spelt = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return RENAMED.get(spelt, spelt)


def named_parameters(method):
    """The parameters that the SDK documents; what it would pass on unseen (`**kwargs`) is none."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p for p in inspect.signature(method).parameters.values() if p.kind in kinds]


# The parameter that is the text of an element.
TEXT = {"Say": "message", "Play": "url", "Number": "phone_number", "Redirect": "url", "Dial": "number"}


def rebuild(parent, element, faults):
    """Adds an element to its parent by the SDK's own method; gives how many elements there were."""
    # Of its own class only: the base class has methods that write no element.
    method = getattr(parent, snake(element.tag)) if snake(element.tag) in vars(type(parent)) else None
    where = f"<{element.tag}> in <{parent.name}>"
    if method is None or not element.tag[:1].isupper():
        faults.append(f"{where}: {type(parent).__name__} has no such element")
        return 1
    known = {p.name for p in named_parameters(method)}
    text_parameter = TEXT.get(element.tag)
    arguments = {}
    for attribute, value in element.attrib.items():
        if snake(attribute) not in known or snake(attribute) == text_parameter:
            faults.append(f"{where}: no attribute {attribute}")
            continue
        arguments[snake(attribute)] = value
    text = element.text or ""
    if text_parameter in known and (text or element.tag != "Dial"):
        arguments[text_parameter] = text
    elif text.strip():
        faults.append(f"{where}: takes no text")
    missing = [p.name for p in named_parameters(method) if p.default is p.empty and p.name not in arguments]
    if missing:
        faults.append(f"{where}: lacks {', '.join(missing)}")
        return 1
    made = method(**arguments)
    return 1 + sum(rebuild(made, child, faults) for child in element)


def plain(element):
    """An element as nested tuples, for comparison."""
    return (element.tag, sorted(element.attrib.items()), (element.text or "").strip(), [plain(child) for child in element])


def check(path):
    from twilio.twiml.voice_response import VoiceResponse

    root = tree.fromstring(path.read_bytes())
    faults, response = [], VoiceResponse()
    if root.tag != response.name:
        return 1, [f"<{root.tag}> instead of <{response.name}>"]
    count = 1 + sum(rebuild(response, element, faults) for element in root)
    if not faults and plain(tree.fromstring(str(response))) != plain(root):
        faults.append(f"the SDK writes something else: {response}")
    return count, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    documents = sorted(parser.parse_args().folder.glob("*.xml"))
    elements = wrong = 0
    for path in documents:
        count, faults = check(path)
        elements, wrong = elements + count, wrong + len(faults)
        for fault in faults:
            print(f"{path.name}: {fault}", flush=True)
    print(f"{len(documents)} documents, {elements} elements, {wrong} faults")
    sys.exit(0 if documents and not wrong else 1)


if __name__ == "__main__":
    own_environment()
    main()
