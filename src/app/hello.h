// What a client of the same user may say first on the server's socket, and the answers.
//
// `mahavishnu/hello` binds the connection to what its client may see and where it comes from; MCP
// follows on the same connection. It is a JSON-RPC request of one line; a connection that begins
// with anything else is a plain MCP client. Members that a reader does not know are ignored: the
// two sides may be of different versions. Pure.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/paths.h"
#include "base/result.h"
#include "rpc/message.h"

namespace mahavishnu::app {

// An HTTP door wanted for as long as the connection that asks lasts.
struct ListenWish {
  std::string address;  // "127.0.0.1:8680"
  bool authenticated = true;
};

struct Hello {
  std::string version;
  bool read_only = false;
  std::vector<std::string> tools;     // empty: all of the toolsets
  std::vector<std::string> toolsets;  // empty: the default one
  std::string working_directory;
  Environment environment;  // allow-listed
  std::optional<ListenWish> listen;
  // An idle background server that is older shall end instead of serving this client.
  bool make_room = false;
};

// The server that answers a hello.
struct Welcome {
  std::string version;
  pid_t pid = 0;
  bool background = false;  // a bridge started it: it leaves when it is idle
  bool ending = false;      // it takes no new work any more
  int clients = 0;          // besides the one that asks
  int running = 0, queued = 0, delayed = 0;
  std::map<std::string, std::string> settings;  // in force there
  std::string note;                             // what a person should be told, or ""
  std::string listening;                        // "http://127.0.0.1:8680", or "": no HTTP
  std::string new_token;                        // made just now, shown only once

  bool idle() const { return clients == 0 && running == 0 && queued == 0 && delayed == 0; }
};

inline constexpr std::string_view kHelloMethod = "mahavishnu/hello";
// A notification: the server ends in good order, after it has answered what is in flight.
inline constexpr std::string_view kEndingMethod = "mahavishnu/ending";

std::string encode_hello(const Hello& hello);
std::string encode_ending();

// InvalidArgument names the member that is not of its kind.
base::Result<Hello> read_hello(const rpc::Json& params);

std::string encode_welcome(const rpc::RequestId& id, const Welcome& welcome);
std::string encode_refusal(const rpc::RequestId& id, const base::Error& error);
// Unavailable when the text is no answer; otherwise the server's own words where it refused.
base::Result<Welcome> read_welcome(std::string_view text);

// Whether version `a` is older than `b`: by the numbers between dots, from the left.
bool is_older(std::string_view a, std::string_view b);

}  // namespace mahavishnu::app
