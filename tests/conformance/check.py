"""The exact answers of conformance_server, where the official suite would take others as well.

A server that answers everything with one constant passes a third of the suite; here every payload is
compared to the letter, in both eras.
"""
import http.client
import json

PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg"
       "==")
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
META = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"


def text(value):
    return {"type": "text", "text": value}


def resource(uri, mime_type, value):
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": value}}


IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}

# Tool → its content, for no arguments; the same in both eras.
TOOLS = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [IMAGE],
    "test_audio_content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}],
    "test_embedded_resource": [resource("test://embedded-resource", "text/plain",
                                        "This is an embedded resource content.")],
    "test_multiple_content_types": [
        text("Multiple content types test:"), IMAGE,
        resource("test://mixed-content-resource", "application/json",
                 '{"test":"data","value":123}')],
}

RESOURCES = {
    "test://static-text": {"mimeType": "text/plain",
                           "text": "This is the content of the static text resource."},
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://template/123/data": {
        "mimeType": "application/json",
        "text": '{"id":"123","templateTest":true,"data":"Data for ID: 123"}'},
    "test://template/a%2Fb%20%C3%A9/data": {
        "mimeType": "application/json",
        "text": '{"id":"a/b é","templateTest":true,"data":"Data for ID: a/b é"}'},
}
NO_RESOURCES = ["test://nonexistent", "test://template//data", "test://template/a/b/data",
                "test://template/%zz/data", "test://template/%FF/data", "TEST://static-text"]

# Prompt and arguments → its messages, all the user's.
PROMPTS = [
    ("test_simple_prompt", {}, [text("This is a simple prompt for testing.")]),
    ("test_prompt_with_arguments", {"arg1": "x", "arg2": "y"},
     [text("Prompt with arguments: arg1='x', arg2='y'")]),
    ("test_prompt_with_embedded_resource", {"resourceUri": "test://r"},
     [resource("test://r", "text/plain", "Embedded resource content for testing."),
      text("Please process the embedded resource above.")]),
    ("test_prompt_with_image", {}, [IMAGE, text("Please analyze the image above.")]),
]


class Client:
    """One connection; requests of one era."""

    def __init__(self, port, revision):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.revision = revision
        self.session = None
        self.capabilities = {}
        self.next_id = 0
        if revision != MODERN:
            told = self.ask("initialize", {"protocolVersion": revision, "capabilities": {},
                                           "clientInfo": {"name": "check", "version": "1"}})
            assert told["result"]["protocolVersion"] == revision, told

    def headers(self, method, params):
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self.revision != MODERN:
            return {**headers, "Mcp-Session-Id": self.session} if self.session else headers
        headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        name = params.get("uri") if method == "resources/read" else params.get("name")
        return {**headers, "Mcp-Name": name} if name else headers

    def send(self, method, params, more_headers=None):
        """The response, and its messages in order."""
        self.next_id += 1
        if self.revision == MODERN:
            meta = {META + "protocolVersion": MODERN, META + "clientCapabilities": self.capabilities}
            params = {**params, "_meta": {**meta, **params.get("_meta", {})}}
        body = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}
        self.connection.request("POST", "/mcp", json.dumps(body),
                                {**self.headers(method, params), **(more_headers or {})})
        response = self.connection.getresponse()
        self.session = response.headers.get("Mcp-Session-Id", self.session)
        read = response.read().decode()
        if response.headers["Content-Type"] != "text/event-stream":
            return response, [json.loads(read)]
        lines = [line[5:] for line in read.splitlines() if line.startswith("data:")]
        return response, [json.loads(line) for line in lines if line.strip()]

    def ask(self, method, params=None, more_headers=None):
        return self.send(method, params or {}, more_headers)[1][-1]

    def result(self, method, params=None):
        """The result without what 2026-07-28 adds to every one."""
        answer = self.ask(method, params)
        assert "result" in answer, answer
        result = answer["result"]
        if self.revision == MODERN:
            assert result.pop("resultType") == "complete", answer
            result.pop("_meta")
        return result

    def error(self, method, params):
        answer = self.ask(method, params)
        assert "error" in answer, answer
        return answer["error"]


def equal(got, wanted):
    assert got == wanted, f"got {json.dumps(got)[:600]}, wanted {json.dumps(wanted)[:600]}"


def check_tools(client):
    for name, content in TOOLS.items():
        equal(client.result("tools/call", {"name": name}), {"content": content, "isError": False})
    equal(client.result("tools/call", {"name": "test_error_handling", "arguments": {}}),
          {"content": [text("This tool intentionally returns an error for testing")], "isError": True})


def check_resources(client):
    for uri, contents in RESOURCES.items():
        result = client.result("resources/read", {"uri": uri})
        equal(result["contents"], [{"uri": uri, **contents}])
        equal("ttlMs" in result and "cacheScope" in result, client.revision == MODERN)
    for uri in NO_RESOURCES:
        error = client.error("resources/read", {"uri": uri})
        equal((error["code"], error["data"]),
              (-32602 if client.revision == MODERN else -32002, {"uri": uri}))
    equal([one["uri"] for one in client.result("resources/list")["resources"]],
          ["test://static-text", "test://static-binary", "test://watched-resource"])
    equal([one["uriTemplate"] for one in client.result("resources/templates/list")["resourceTemplates"]],
          ["test://template/{id}/data"])


def check_prompts(client):
    for name, arguments, content in PROMPTS:
        messages = client.result("prompts/get", {"name": name, "arguments": arguments})["messages"]
        equal(messages, [{"role": "user", "content": one} for one in content])
    for params in ({"name": "none"}, {"name": "test_prompt_with_arguments", "arguments": {"arg1": "x"}},
                   {"name": "test_simple_prompt", "arguments": {"arg1": "x"}}, {}):
        equal(client.error("prompts/get", params)["code"], -32602)
    listed = client.result("prompts/list")["prompts"]
    equal(listed[1]["arguments"],
          [{"name": "arg1", "required": True, "description": "First test argument"},
           {"name": "arg2", "required": True, "description": "Second test argument"}])


def check_completions(client):
    def complete(name, argument, value):
        return {"ref": {"type": "ref/prompt", "name": name}, "argument": {"name": argument, "value": value}}
    equal(client.result("completion/complete", complete("test_prompt_with_arguments", "arg1", "par")),
          {"completion": {"values": ["paris", "park", "party"], "total": 3, "hasMore": False}})
    equal(client.result("completion/complete", complete("test_prompt_with_embedded_resource",
                                                        "resourceUri", "x")),
          {"completion": {"values": [], "total": 0, "hasMore": False}})
    for bad in (complete("none", "arg1", ""), complete("test_prompt_with_arguments", "arg9", "")):
        equal(client.error("completion/complete", bad)["code"], -32602)


def check_progress(client):
    _, messages = client.send("tools/call", {"name": "test_tool_with_progress", "arguments": {},
                                             "_meta": {"progressToken": "p-1"}})
    equal([(one["method"], one["params"]["progressToken"], one["params"]["progress"],
            one["params"]["total"]) for one in messages[:-1]],
          [("notifications/progress", "p-1", done, 100.0) for done in (0.0, 50.0, 100.0)])


def check_messages(client):
    call = {"name": "test_tool_with_logging", "arguments": {}}
    _, silent = client.send("tools/call", call)
    equal(len(silent), 1)
    if client.revision == MODERN:
        call["_meta"] = {META + "logLevel": "info"}
        equal(client.error("tools/call", {**call, "_meta": {META + "logLevel": "loud"}})["code"], -32602)
    else:
        equal(client.error("logging/setLevel", {"level": "loud"})["code"], -32602)
        equal(client.result("logging/setLevel", {"level": "debug"}), {})
    _, messages = client.send("tools/call", call)
    equal([one["params"] for one in messages[:-1]],
          [{"level": "info", "logger": "conformance", "data": data} for data in
           ("Tool execution started", "Tool processing data", "Tool execution completed")])


def check_schema_kept(client):
    tool = [one for one in client.result("tools/list")["tools"]
            if one["name"] == "json_schema_2020_12_tool"][0]["inputSchema"]
    equal(tool["$schema"], "https://json-schema.org/draft/2020-12/schema")
    equal(tool["$defs"]["address"]["$anchor"], "addressDef")
    equal(tool["properties"]["contactMethod"]["enum"], ["phone", "email"])
    equal(tool["additionalProperties"], False)


CHECKS = [check_tools, check_resources, check_prompts, check_completions, check_progress,
          check_messages, check_schema_kept]


def check_rounds(client):
    """Questions of 2026-07-28: to the letter, and only what the client can answer."""
    call = {"name": "test_input_required_result_multi_round", "arguments": {}}
    answer = client.ask("tools/call", call)
    equal(client.error("tools/call", call)["code"] if "error" in answer else 0, -32021)
    client.capabilities = {"elicitation": {}}
    first = client.ask("tools/call", call)["result"]
    equal(first["resultType"], "input_required")
    equal(first["inputRequests"], {"step1": {"method": "elicitation/create", "params": {
        "message": "Step 1: what is your name?", "requestedSchema": {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}}})
    said = {"step1": {"action": "accept", "content": {"name": "Ada"}}}
    second = client.ask("tools/call", {**call, "inputResponses": said,
                                       "requestState": first["requestState"]})["result"]
    equal(list(second["inputRequests"]), ["step2"])
    last = {**call, "inputResponses": {"step2": {"action": "accept", "content": {"color": "red"}}},
            "requestState": second["requestState"]}
    equal(client.ask("tools/call", last)["result"]["content"], [text("Ada likes red.")])
    # Bound to its call, and to the letter.
    for state in (second["requestState"] + "x", "x", second["requestState"].replace(".", ""), 5):
        equal(client.error("tools/call", {**last, "requestState": state})["code"], -32602)
    other = {**last, "name": "test_input_required_result_elicitation"}
    equal(client.error("tools/call", other)["code"], -32602)


def events_of(response):
    """(id, retry, data) of each event until the end of the stream."""
    fields = [dict(line.split(": ", 1) for line in event.splitlines())
              for event in response.read().decode().split("\n\n") if event]
    return [(one.get("id"), one.get("retry"), one["data"]) for one in fields]


def check_reconnection(client):
    """The stream ends before the answer, which waits for the client that comes back (SEP-1699)."""
    call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "test_reconnection"}}
    client.connection.request("POST", "/mcp", json.dumps(call), client.headers("tools/call", {}))
    (primed, retry, nothing), = events_of(client.connection.getresponse())
    equal((retry, nothing), ("1000", ""))
    seen = {primed}
    for _ in range(2):  # and again, as long as it is kept
        headers = {**client.headers("", {}), "Last-Event-ID": primed}
        client.connection.request("GET", "/mcp", headers=headers)
        again, (answered, _, data) = events_of(client.connection.getresponse())
        equal(again, (primed, "1000", ""))
        seen.add(answered)
        equal(json.loads(data)["id"], 9)
        equal(json.loads(data)["result"]["content"], [text(
            "Reconnection test completed successfully. If you received this, the client properly "
            "reconnected after stream closure.")])
    equal(len(seen), 2)
    client.connection.request("GET", "/mcp", headers={**client.headers("", {}), "Last-Event-ID": "x"})
    response = client.connection.getresponse()
    equal((response.status, json.loads(response.read())["error"]["code"]), (400, -32600))


def check_header_params(client):
    call = {"name": "test_x_mcp_header", "arguments": {"region": "eu", "level": 3}}
    for value, code in (("eu", None), ("=?base64?ZXU=?=", None), (None, -32020), ("us", -32020),
                        ("=?base64?ZXU?=", -32020), ("EU", -32020)):
        headers = {"Mcp-Param-Region": value} if value else {}
        answer = client.ask("tools/call", call, headers)
        equal(answer.get("error", {}).get("code"), code)
    answer = client.ask("tools/call", {"name": "test_x_mcp_header", "arguments": {}},
                        {"Mcp-Param-Region": "eu"})
    equal(answer["error"]["code"], -32020)


def run(port):
    """How many checks passed, and lines of those that did not."""
    good, wrong = 0, []
    todo = [(one, revision) for revision in (LEGACY, MODERN) for one in CHECKS]
    todo += [(check_reconnection, LEGACY), (check_rounds, MODERN), (check_header_params, MODERN)]
    for one, revision in todo:
        try:
            one(Client(port, revision))
            good += 1
        except (AssertionError, KeyError, IndexError, OSError, ValueError) as error:
            wrong.append(f"{revision} {one.__name__}: {type(error).__name__}: {error}")
    return good, wrong
