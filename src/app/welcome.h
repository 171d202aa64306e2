// What a person is told so that a client can be connected: configuration ready to paste.
#pragma once

#include <string>

namespace mahavishnu::app {

// For the clients in use (Claude Code, .mcp.json, VS Code, Cursor) and curl. `url` is that of the
// server ("http://127.0.0.1:8680"); an empty token is --no-auth.
std::string client_configuration(const std::string& url, const std::string& token);

// An HTTP door that is open now.
struct Listening {
  std::string url;
  std::string token_file;
  bool authenticated = true;
  std::string new_token;  // made just now, "" : an old one
};
// Tells the user on stderr where it is and how to connect.
void tell_listening(const Listening& door);

}  // namespace mahavishnu::app
