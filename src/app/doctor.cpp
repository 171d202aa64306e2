#include "app/doctor.h"

#include <netdb.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "app/address.h"
#include "app/data_directory.h"
#include "app/verbs.h"
#include "net/tls_identity.h"
#include "workers/cgroup.h"

namespace mahavishnu::app {
namespace {

using Grade = Finding::Grade;

constexpr std::chrono::hours kSoonExpired{14 * 24};
constexpr std::uint64_t kLittleSpace = 256ULL << 20U;
constexpr rlim_t kFewFiles = 4096;

// The nearest folder at or above `path` that exists: where a missing one would be made.
std::string existing_part(const std::string& path) {
  std::filesystem::path part = path;
  std::error_code error;
  while (!std::filesystem::exists(part, error) && part != part.parent_path())
    part = part.parent_path();
  return part.string();
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20U) + " MiB"; }

Finding examine_config(const Setup& setup) {
  const Config& config = setup.config;
  return {Grade::Ok, "config",
          config.file() + (config.file_found() ? "" : " (not there; defaults)")};
}

Finding examine_sqlite() {
  return {Grade::Ok, "sqlite", std::string("version ") + ::sqlite3_libversion()};
}

// Binds without listening. 0: it can be had; otherwise the errno.
int try_bind(const Address& address, std::string& reason) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int looked =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (looked != 0) {
    reason = ::gai_strerror(looked);
    return EINVAL;
  }
  const int probe = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int error = ::bind(probe, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
  ::close(probe);
  ::freeaddrinfo(found);
  reason = std::strerror(error);
  return error;
}

const char* label(Grade grade) {
  switch (grade) {
    case Grade::Ok:
      return "ok   ";
    case Grade::Warn:
      return "warn ";
    case Grade::Fail:
      return "FAIL ";
  }
  return "";
}

int report(const std::vector<Finding>& findings) {
  bool sound = true;
  for (const Finding& finding : findings) {
    std::string what = finding.what;
    what.resize(std::max<std::size_t>(what.size(), 14), ' ');
    std::cout << label(finding.grade) << what << " " << finding.text << "\n";
    sound = sound && finding.grade != Grade::Fail;
  }
  std::cout << (sound ? "All that is needed is there.\n"
                      : "Something is missing; see FAIL above.\n");
  return sound ? 0 : 1;
}

}  // namespace

Finding examine_data(const std::string& data) {
  const std::string folder = existing_part(data);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return {Grade::Fail, "data",
            data + ": cannot write in " + folder + ": " + std::strerror(errno) +
                "; choose another with --data"};
  }
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) != 0) {
    return {Grade::Fail, "data", folder + ": " + std::strerror(errno)};
  }
  const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
  std::string text =
      data + (folder == data ? "" : " (will be made)") + ", " + mebibytes(free_bytes) + " free";
  if (const auto owner = DataDirectory::owner(data)) {
    text += ", in use by the server with pid " + std::to_string(owner->pid);
  }
  if (free_bytes < kLittleSpace) {
    return {Grade::Warn, "data", text + "; new work is refused when the disk is full: make room"};
  }
  return {Grade::Ok, "data", text};
}

Finding examine_repositories(const Setup& setup) {
  const auto repositories = load_repositories(setup, working_folder());
  if (!repositories) return {Grade::Fail, "repositories", repositories.error().message};
  std::string missing;
  for (const auto& repository : repositories->index->all()) {
    std::error_code error;
    if (!std::filesystem::is_directory(repository.path, error)) missing += " " + repository.name;
  }
  if (!missing.empty()) {
    return {Grade::Warn, "repositories", setup.repos_file + ": not on this disk:" + missing};
  }
  if (!repositories->note.empty()) return {Grade::Warn, "repositories", repositories->note};
  return {Grade::Ok, "repositories",
          std::to_string(repositories->index->all().size()) + " in " + setup.repos_file};
}

Finding examine_tool(const std::string& name, const std::string& search_path,
                     const std::string& way_out) {
  std::string_view rest = search_path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const std::string file = std::string(rest.substr(0, end)) + "/" + name;
    if (::access(file.c_str(), X_OK) == 0) return {Grade::Ok, name, file};
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {Grade::Fail, name, "not in " + search_path + "; " + way_out};
}

Finding examine_listen(const std::string& text, const std::string& data) {
  const auto address = parse_address(text);
  if (!address) return {Grade::Fail, "http", "http.listen: " + address.error().message};
  std::string reason;
  const int error = try_bind(*address, reason);
  if (error == 0) return {Grade::Ok, "http", address->str() + " can be listened on"};
  if (error == EADDRINUSE && DataDirectory::owner(data)) {
    return {Grade::Ok, "http", address->str() + " is in use, and the server runs"};
  }
  return {Grade::Warn, "http",
          address->str() + ": " + reason + "; choose another with --http or http.listen"};
}

Finding examine_open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string text = "limit of open files " + std::to_string(limit.rlim_max);
  if (limit.rlim_max < kFewFiles) {
    return {Grade::Warn, "limits", text + "; raise it with ulimit -Hn for many connections"};
  }
  return {Grade::Ok, "limits", text};
}

Finding examine_limits_on_work() {
  workers::Cgroup probe("mahavishnu-doctor-" + std::to_string(::getpid()), 64U << 20U, 64);
  const bool memory = probe.limits_memory();
  const bool processes = probe.limits_processes();
  probe.remove();
  if (memory && processes)
    return {Grade::Ok, "cgroup", "memory and processes of work can be limited"};
  const std::string what = memory ? "processes" : processes ? "memory" : "memory and processes";
  return {Grade::Warn, "cgroup",
          "no control group can be made here that limits " + what +
              " of work; such limits are reported as unenforced (delegate the controllers, see "
              "docs/operations.md)"};
}

Finding examine_certificate(const Config& config) {
  const std::string what = "certificate";
  const std::string& file = config.text("http.tls.certificate");
  const std::string& key = config.text("http.tls.key");
  if (file.empty() || key.empty()) {
    return {Grade::Fail, what, "http.tls.certificate and http.tls.key go together: set both"};
  }
  const auto identity = net::TlsIdentity::load(file, key);
  if (!identity) return {Grade::Fail, what, identity.error().message};
  const auto left = (*identity)->expires - base::wall_now();
  const std::string until = file + " is good until " + base::to_rfc3339((*identity)->expires);
  if (left < kSoonExpired) return {Grade::Warn, what, until + "; renew it"};
  return {Grade::Ok, what, until};
}

std::vector<Finding> examine(const Setup& setup) {
  const std::string search_path = lookup(setup.config.environment(), "PATH");
  std::vector<Finding> findings{examine_config(setup),
                                examine_repositories(setup),
                                examine_data(setup.data),
                                examine_tool("git", search_path, "install it: apt-get install git"),
                                examine_tool("sh", "/bin", "work given as `command` needs it"),
                                examine_listen(setup.config.text("http.listen"), setup.data),
                                examine_open_files(),
                                examine_limits_on_work(),
                                examine_sqlite()};
  const Config& config = setup.config;
  if (!config.text("http.tls.certificate").empty() || !config.text("http.tls.key").empty()) {
    findings.push_back(examine_certificate(config));
  }
  for (auto& finding : examine_servers(config)) findings.push_back(std::move(finding));
  return findings;
}

int doctor_verb(const Arguments& arguments) {
  const auto setup = load_setup(arguments);
  if (!setup) return report({{Grade::Fail, "config", setup.error().message}});
  return report(examine(*setup));
}

}  // namespace mahavishnu::app
