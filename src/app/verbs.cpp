#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

const Flag kConfigFlag{"config", "FILE",
                       "configuration file (default ~/.config/mahavishnu/config.yaml)"};
const Flag kReposFlag{"repos", "FILE",
                      "repositories file (default ~/.config/mahavishnu/repos.yaml)", "repos"};
const Flag kDataFlag{"data", "DIR", "data directory (default ~/.local/state/mahavishnu)", "data"};

Verb serve() {
  return {
      "serve",
      "serve [--stdio [--in-process]] [--http HOST:PORT] [--tools a,b] [--read-only] [--no-auth] …",
      "Serve MCP over HTTP (by default, on 127.0.0.1:8680), on stdin and stdout, or both",
      "HTTP needs the token in DATA/token; it is made and shown at the first start.\n"
      "With --stdio it is a bridge to the server of the data directory, which it starts in the\n"
      "background when there is none; that one outlives its clients and leaves when it is idle.\n"
      "On a directory that another server owns, that one listens for HTTP while this lives.\n"
      "TERM lets what runs end, a second TERM does not.\n"
      "With --record, what passes through this process can be played again: for a bug report.\n"
      "Examples:\n"
      "  mahavishnu serve\n"
      "  mahavishnu serve --stdio\n"
      "  mahavishnu serve --http 127.0.0.1:0 --read-only --data /tmp/scratch",
      0,
      false,
      {{"stdio", nullptr, "serve on stdin and stdout"},
       {"in-process", nullptr, "with --stdio: serve in this process, and end with stdin"},
       {"background", nullptr, "on the socket only, until idle (what --stdio starts)"},
       {"http", "HOST:PORT", "serve over HTTP there; port 0 takes a free one", "http.listen"},
       {"tls-cert", "FILE", "HTTPS with this certificate (PEM)", "http.tls.certificate"},
       {"tls-key", "FILE", "and its key", "http.tls.key"},
       {"toolsets", "a,b", "sets of tools to serve: core (the default), message, ops, or all"},
       {"tools", "a,b", "serve these tools only"},
       {"read-only", nullptr, "serve only tools that change nothing"},
       {"no-auth", nullptr, "HTTP without a token, on a loopback address only"},
       {"record", "FILE", "write what clients say and are answered into FILE, as a transcript"},
       {"log-level", "L", "trace, debug, info, warn, error or off", "log.level"},
       kConfigFlag,
       kReposFlag,
       kDataFlag},
      serve_verb};
}

Verb run() {
  return {
      "run",
      "run [--tag T | --role R | --repo N… | --all] [--jobs N] [--timeout D] -- COMMAND…",
      "Run a command in every chosen repository, show it live, and print the end of what failed",
      "Several words are a program and its arguments; a single one with a space in it is a line "
      "for\n"
      "/bin/sh. Filters intersect. Exit code 0 only if it passed everywhere. Ctrl-C cancels.\n"
      "Examples:\n"
      "  mahavishnu run --all -- git status --short\n"
      "  mahavishnu run --tag node --jobs 4 --timeout 10m -- npm test\n"
      "  mahavishnu run --repo api,web -- 'make lint && make test'",
      0,
      true,
      {{"all", nullptr, "in all repositories"},
       {"tag", "T", "in those with this tag"},
       {"role", "R", "in those with this role"},
       {"repo", "N,…", "in those of these names; may be repeated"},
       {"pool", "P", "on this pool instead of the default one"},
       {"jobs", "N", "at most so many at once"},
       {"timeout", "D", "end each one after this time (30s, 10m; default 30m)"},
       kConfigFlag,
       kReposFlag,
       kDataFlag},
      run_verb};
}

Verb call() {
  return {
      "call",
      "call TOOL ['{json}'] [--url URL [--token T] | --data DIR] [--watch]",
      "Call one tool and print its structured result",
      "Without --url the server of the data directory is asked, or one in this process when there "
      "is none.\n"
      "MAHAVISHNU_URL and MAHAVISHNU_TOKEN stand for --url and --token.\n"
      "Examples:\n"
      "  mahavishnu call repo_list\n"
      "  mahavishnu call task_submit '{\"command\": \"make test\", \"repo\": \"api\"}' --watch\n"
      "  mahavishnu call pool_list --url http://127.0.0.1:8680",
      2,
      false,
      {{"watch", nullptr, "follow the workflow or task that the call started to its end"},
       {"url", "URL", "a server's address, over HTTP"},
       {"token", "T", "its token (default: the one in the data directory)"},
       kConfigFlag,
       kReposFlag,
       kDataFlag},
      call_verb};
}

Verb status() {
  return {"status",
          "status [--data DIR]",
          "Tell whether a server owns the data directory, and what it does",
          "Exit code 1 when there is none.",
          0,
          false,
          {kConfigFlag, kReposFlag, kDataFlag},
          status_verb};
}

Verb stop() {
  return {"stop",
          "stop [--data DIR]",
          "End the server that owns the data directory, and wait until it has ended",
          "It takes no new work and lets what runs end, at most shutdown.grace_ms.",
          0,
          false,
          {kConfigFlag, kDataFlag},
          stop_verb};
}

Verb repos() {
  return {
      "repos",
      "repos scan DIR [--dry-run] [--force] [--repos FILE] | repos check",
      "Find git checkouts and write repos.yaml, or check the one there is",
      "`scan` looks four folders deep; hidden folders, node_modules and links are not entered.\n"
      "Examples:\n"
      "  mahavishnu repos scan ~/src --dry-run\n"
      "  mahavishnu repos check",
      2,
      false,
      {{"dry-run", nullptr, "print what would be written"},
       {"force", nullptr, "replace an existing file"},
       kReposFlag,
       kConfigFlag},
      repos_verb};
}

Verb token() {
  return {
      "token",
      "token new NAME [--scope S] [--expires D] [--pools a,b] [--repos a,b] [--tags a,b] | list | "
      "revoke NAME",
      "Make, list and revoke tokens for HTTP",
      "A token may do what its scope says: `read` what changes nothing, `run` also run, cancel "
      "and\n"
      "remember work, `admin` everything, as the first token in DATA/token may. Bound to pools,\n"
      "repositories or tags it runs work only there; every list that is given must be met.\n"
      "A running server notices at once. The token itself is printed once, on stdout; only its\n"
      "hash is kept, in DATA/tokens.json. Its name is the caller that its work is known by.\n"
      "Examples:\n"
      "  mahavishnu token new ci --scope run --repos api,web --expires 90d\n"
      "  mahavishnu token new dashboard\n"
      "  mahavishnu token revoke ci",
      2,
      false,
      {{"scope", "S", "read (the default), run or admin; each may do what those before it may"},
       {"expires", "D", "after this time (30d, 12h); without it, never"},
       {"pools", "a,b", "run work on these pools only"},
       {"repos", "a,b", "run work in these repositories only"},
       {"tags", "a,b", "run work in repositories with one of these tags only"},
       kConfigFlag,
       kDataFlag},
      token_verb};
}

Verb doctor() {
  return {"doctor",
          "doctor [--config FILE] [--repos FILE] [--data DIR]",
          "Check the configuration, the tools, the ports and the limits that the server needs",
          "Exit code 1 when something that is needed is missing.",
          0,
          false,
          {kConfigFlag, kReposFlag, kDataFlag},
          doctor_verb};
}

Verb config() {
  return {
      "config",
      "config show [--config FILE]",
      "Print every setting, its value and where it came from",
      "Values come from the defaults, config.yaml, MAHAVISHNU_… variables and flags, in rising "
      "order.\n"
      "The variable of a setting is its key in upper case: http.listen is MAHAVISHNU_HTTP_LISTEN.",
      1,
      false,
      {kConfigFlag, kReposFlag, kDataFlag},
      config_verb};
}

}  // namespace

CommandLine command_line() {
  const Verb version{"version", "version", "Print the version", "", 0, false, {}, version_verb};
  return CommandLine(
      {serve(), run(), call(), status(), stop(), repos(), token(), doctor(), config(), version});
}

}  // namespace mahavishnu::app
