#include "app/server_start.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "app/spawn_plan.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::int64_t kLongestLog = 1 << 20;  // a longer one is set aside at the next start
constexpr std::int64_t kLastWords = 2000;

// Who the user is and where their things are; nothing that belongs to one program of theirs.
constexpr std::array<std::string_view, 9> kServerNeeds{
    "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH"};

bool server_needs(const std::string& name) {
  return name.starts_with("XDG_") || name.starts_with("LC_") ||
         std::find(kServerNeeds.begin(), kServerNeeds.end(), name) != kServerNeeds.end();
}

// The file this process runs from; the one that took its place where it was replaced.
std::string own_binary() {
  std::string path(4096, '\0');
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return ::access(path.c_str(), X_OK) == 0 ? path : "/proc/self/exe";
}

std::int64_t size_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_size : 0;
}

}  // namespace

Environment server_environment(const Setup& setup) {
  Environment given;
  for (const auto& [name, value] : setup.config.environment()) {
    if (server_needs(name)) given[name] = value;
  }
  for (const Setting& setting : settings()) {
    const auto& value = setup.config.value(setting.key);
    if (!value.origin.starts_with("--") && !value.origin.starts_with("MAHAVISHNU_")) continue;
    given[environment_name(setting.key)] = setup.config.written(setting.key);
  }
  return given;
}

Result<BackgroundServer> BackgroundServer::start(const DataDirectory& directory,
                                                 const Setup& setup) {
  const std::string log = directory.log_file();
  if (size_of(log) > kLongestLog) ::rename(log.c_str(), (log + ".1").c_str());
  const std::int64_t begin = size_of(log);
  std::vector<std::string> command{"mahavishnu", "serve", "--background", "--data",
                                   directory.path()};
  if (setup.config.file_found()) {
    command.insert(command.end(), {"--config", setup.config.file()});
  }
  std::vector<std::string> variables;
  for (const auto& [name, value] : server_environment(setup)) {
    variables.push_back(name + "=" + value);
  }
  ::signal(SIGCHLD, SIG_IGN);  // nobody waits for it: it must not stay as a zombie
  pid_t pid = 0;
  SpawnPlan plan;
  plan.append(log, 1);
  plan.connect(1, 2);
  const int failure = plan.run(pid, own_binary(), std::move(command), std::move(variables));
  if (failure != 0) {
    return fail(ErrorCode::Unavailable, "no server could be started in the background (log " + log +
                                            "): " + std::strerror(failure));
  }
  return BackgroundServer(pid, log, begin);
}

bool BackgroundServer::has_ended() const {
  // With SIGCHLD ignored the kernel forgets it when it ends: then waiting fails.
  return ::waitpid(process_, nullptr, WNOHANG) != 0;
}

std::string BackgroundServer::last_words() const {
  std::ifstream file(log_, std::ios::binary);
  const std::int64_t size = size_of(log_);
  file.seekg(std::max({std::int64_t{0}, begin_, size - kLastWords}));
  std::string text(static_cast<std::size_t>(kLastWords), '\0');
  file.read(text.data(), kLastWords);
  text.resize(static_cast<std::size_t>(file.gcount()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace mahavishnu::app
