#include "app/welcome.h"

#include <iostream>

#include "rpc/json.h"

namespace mahavishnu::app {
namespace {

using Ordered = nlohmann::ordered_json;

// {"mcpServers": {"mahavishnu": …}}: the same shape under the name each client gives it.
std::string document(const char* section, const std::string& url, const std::string& token) {
  Ordered server = {{"type", "http"}, {"url", url + "/mcp"}};
  if (!token.empty()) server["headers"] = {{"Authorization", "Bearer " + token}};
  const Ordered whole = {{section, {{"mahavishnu", server}}}};
  return whole.dump(2);
}

}  // namespace

std::string client_configuration(const std::string& url, const std::string& token) {
  const std::string header = token.empty() ? "" : " -H 'Authorization: Bearer " + token + "'";
  const std::string claude =
      token.empty() ? "" : " --header \"Authorization: Bearer " + token + "\"";
  return "Claude Code:\n  claude mcp add --transport http mahavishnu " + url + "/mcp" + claude +
         "\n\n.mcp.json (Claude Code, a project's own) or ~/.cursor/mcp.json (Cursor):\n" +
         document("mcpServers", url, token) + "\n\n.vscode/mcp.json (VS Code):\n" +
         document("servers", url, token) + "\n\ncurl:\n  curl -s " + url + "/tools/call" + header +
         " -H 'Content-Type: application/json' -d '{\"name\":\"repo_list\",\"arguments\":{}}'\n" +
         "\nOver stdio a client starts the server itself: mahavishnu serve --stdio\n";
}

void tell_listening(const Listening& door) {
  std::cerr << "mahavishnu: serving " << door.url << "/mcp\n";
  if (!door.authenticated) {
    std::cerr
        << "mahavishnu: WARNING: --no-auth: every program of every user on this machine may run "
           "commands as this user through this port\n";
  } else if (!door.new_token.empty()) {
    std::cerr << "\nA token was made (kept in " << door.token_file
              << ", shown only this once). To connect:\n\n"
              << client_configuration(door.url, door.new_token) << std::endl;
  } else {
    std::cerr << "mahavishnu: the token is in " << door.token_file << std::endl;
  }
}

}  // namespace mahavishnu::app
