// What this machine is, as far as settings and records want to know. Any thread.
#pragma once

#include <string>

namespace mahavishnu::app {

std::string host_name();  // "localhost" where there is none
int cores();              // at least 1

}  // namespace mahavishnu::app
