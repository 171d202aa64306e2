"""A small MCP server on stdin and stdout, by hand, that behaves as its first argument says.

It writes what happened to it into the file $PEER_LOG, a line each. Modes: `good` (the handshake of
2025-06-18), `modern` (2026-07-28, no handshake), `silent` (never says a word), `garbage` (never
says a message), `greets` (a line of text first), `quits` (ends when it hears what it does not know).
"""
import json
import os
import sys
import threading
import time

MODE = sys.argv[1] if len(sys.argv) > 1 else "good"
cancelled = threading.Event()
writing = threading.Lock()


def log(line):
    if "PEER_LOG" in os.environ:
        with open(os.environ["PEER_LOG"], "a", encoding="utf-8") as out:
            out.write(line + "\n")


def say(message):
    with writing:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def text(words, **more):
    return {"content": [{"type": "text", "text": words}], **more}


def tell_progress(meta, done, total, message):
    say({"method": "notifications/progress", "params": {
        "progressToken": meta.get("progressToken"), "progress": done, "total": total, "message": message}})


def call(name, arguments, meta):
    """The result of a tool; None: it is never answered."""
    log("called " + name)
    if name == "echo":
        say({"method": "notifications/message", "params": {"level": "info", "logger": "echo", "data": "here"}})
        return text(arguments.get("words", ""), structuredContent={"heard": arguments})
    if name == "env":
        return text(os.environ.get(arguments["name"], "not set"))
    if name == "slow":
        for step in range(1, arguments["steps"] + 1):
            tell_progress(meta, step, arguments["steps"], f"step {step}")
            if cancelled.wait(arguments["pause_s"]):
                log("cancelled")
                return None
        return text("done", structuredContent={"steps": arguments["steps"]})
    if name == "fail":
        return text("the disk is full", isError=True)
    if name == "die":
        os._exit(7)
    if name == "big":
        return text("x" * arguments["bytes"], structuredContent={"x": "y" * arguments["bytes"]})
    if name == "image":
        return {"content": [{"type": "image", "mimeType": "image/png", "data": "QUJDRA=="},
                            {"type": "resource_link", "uri": "file:///a", "name": "a"}]}
    if name == "ask":
        say({"id": "q1", "method": "sampling/createMessage", "params": {}})
        return text("asked")
    if name == "forever":
        cancelled.wait(3600)
        log("cancelled")
        return None
    raise LookupError(name)


TOOLS = ["echo", "env", "slow", "fail", "die", "big", "image", "ask", "forever"]


def answer(request):
    method, params = request["method"], request.get("params") or {}
    if method == "initialize" and MODE != "modern":
        return {"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "peer", "version": "1"}}}
    if method == "server/discover" and MODE == "modern":
        return {"result": {"resultType": "complete", "supportedVersions": ["2026-07-28"],
                           "capabilities": {"tools": {}}}}
    if method == "tools/list":
        return {"result": {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]}}
    if method == "tools/call":
        if MODE == "modern":
            log("revision " + params["_meta"]["io.modelcontextprotocol/protocolVersion"])
        try:
            result = call(params["name"], params.get("arguments", {}), params.get("_meta", {}))
        except LookupError as unknown:
            return {"error": {"code": -32602, "message": f"Unknown tool: {unknown}"}}
        return None if result is None else {"result": result}
    if MODE == "quits":
        log("quit at " + method)
        os._exit(3)
    return {"error": {"code": -32601, "message": "Method not found"}}


def serve(request):
    reply = answer(request)
    if reply is not None:
        say({"id": request["id"], **reply})


def main():
    log("started")
    if MODE in ("silent", "garbage"):
        if MODE == "garbage":
            for _ in range(1000):
                sys.stdout.write("I am not a server\n")
            sys.stdout.flush()
        time.sleep(3600)
    if MODE == "greets":
        print("welcome to the peer", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "notifications/cancelled":
            log("told to cancel")
            cancelled.set()
        elif "id" in message and "method" in message:
            threading.Thread(target=serve, args=[message], daemon=True).start()
        elif "method" not in message:
            log("answered " + json.dumps(message.get("error", message.get("result"))))
    log("end of input")


main()
