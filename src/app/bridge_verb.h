// The two ways to serve through another server: a bridge on stdio, and HTTP lent by the owner of
// the data directory. Both block until they are done.
#pragma once

#include <optional>

#include "app/hello.h"
#include "app/recording.h"
#include "app/setup.h"

namespace mahavishnu::app {

// What this process says of itself: its version, folder and allow-listed variables.
Hello hello_of(const Setup& setup);

// `serve --stdio`: carries stdin and stdout to the server of the data directory, which is started
// in the background when there is none. The exit code.
int bridge_stdio(const Setup& setup, Hello hello, Recording* recording);

// `serve --http` on a directory that another server owns: that one listens until this process is
// told to end. The exit code, or nullopt when there is no such server (any more).
std::optional<int> serve_at_owner(const Setup& setup, Hello hello);

// Tells the user what the server says of itself that matters to them.
void tell_welcome(const Setup& setup, const Hello& hello, const Welcome& welcome);

}  // namespace mahavishnu::app
