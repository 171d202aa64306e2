"""What changes from run to run, replaced by names that do not."""
import json
import re

ID = re.compile(r"\b(task|batch|pool|wf)_[0-9A-HJKMNP-TV-Z]{26}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
MS = re.compile(r'(\\?"[a-z_]*_ms\\?":)\s*[0-9.]+')
NODE = re.compile(r'(\\*"node\\*":\s*\\*")[^"\\]*')
HEAD = re.compile(r"\b[0-9a-f]{40}\b")
SHOWN = re.compile(r"<(?:task|batch|pool|wf|session) \d+>")


class Names:
    """What was replaced by which name, both ways."""

    def __init__(self, scratch):
        self.scratch, self.names, self.counts = scratch, {}, {}

    def hide(self, value):
        text = json.dumps(value, ensure_ascii=False)
        text = text.replace(self.scratch.path, "<scratch>")
        text = ID.sub(self.name_of, text)
        text = HEAD.sub("<commit>", TIME.sub("<time>", text))
        text = NODE.sub(r"\g<1><node>", MS.sub(r"\g<1>0", text))
        value = json.loads(text)
        self.hide_version(value)
        result = value.get("result") if isinstance(value, dict) else None
        for tool in result.get("tools", []) if isinstance(result, dict) else []:
            for key in ("description", "inputSchema", "outputSchema"):
                tool.pop(key, None)
        return value

    def hide_known(self, text):
        """The ids that were seen before, and nothing else."""
        return ID.sub(lambda found: self.names.get(found[0], found[0]), text)

    @staticmethod
    def hide_version(value):
        result = value.get("result") if isinstance(value, dict) else None
        if not isinstance(result, dict):
            return
        info = result.get("serverInfo")
        if info and "version" in info:
            info["version"] = "<version>"
        for entry in result.get("_meta", {}).values():
            if isinstance(entry, dict) and "version" in entry:
                entry["version"] = "<version>"

    def name_of(self, found):
        if found[0] not in self.names:
            self.remember(found[0], found[1])
        return self.names[found[0]]

    def remember(self, value, kind):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.names[value] = f"<{kind} {self.counts[kind]}>"

    def show(self, text):
        values = {name: value for value, name in self.names.items()}
        text = SHOWN.sub(lambda found: values.get(found[0], found[0]), text)
        return text.replace("<scratch>", self.scratch.path)
