#include "workers/pool_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "workers/descriptor.h"
#include "workers/launch.h"

namespace mahavishnu::workers {
namespace {

std::string unreadable(const char* name, const std::string& path, bool secret) {
  if (path.empty()) return "";
  struct stat status {};
  // Opened without waiting: it may be a pipe, which nobody writes to.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file && ::fstat(file.get(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    if (!secret || (status.st_mode & 077U) == 0) return "";
    return "others may read the " + std::string(name) + " " + path + "; close it with: chmod 600 " +
           path;
  }
  return std::string(name) + " " + path +
         " cannot be read: " + (file ? "it is a directory" : std::strerror(errno));
}

std::string not_runnable(const std::string& name, const domain::StringMap& env) {
  const auto path = env.find("PATH");
  const auto program = find_program(name, path == env.end() ? "" : path->second);
  if (!program) return program.error().message;
  // A relative one is looked for where the work runs, which differs from task to task.
  if (program->front() != '/' || ::access(program->c_str(), X_OK) == 0) return "";
  return "the command " + *program + " cannot be run: " + std::strerror(errno);
}

}  // namespace

std::string missing_for(const domain::PoolSpec& pool, const domain::StringMap& env) {
  const domain::PoolSettings& settings = pool.settings;
  if (!settings.command.empty()) return not_runnable(settings.command.front(), env);
  std::string missing = unreadable("token_file", settings.token_file, true);
  return missing.empty() ? unreadable("ca_file", settings.ca_file, false) : missing;
}

}  // namespace mahavishnu::workers
