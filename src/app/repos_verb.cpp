// `mahavishnu repos scan DIR` and `mahavishnu repos check`.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "app/setup.h"
#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

// Replaces `file` as a whole (a running server may read it at any moment); keeps an existing one
// unless `force`.
Status write_file(const std::string& file, const std::string& text, bool force) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(file).parent_path(), error);
  if (!force && std::filesystem::exists(file, error)) {
    return fail(ErrorCode::Conflict, file + " exists; --force replaces it, --dry-run only prints");
  }
  const std::string draft = file + "." + std::to_string(::getpid()) + ".tmp";
  const int out = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written =
      out >= 0 && ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (out >= 0) ::close(out);
  if (!written || ::rename(draft.c_str(), file.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    ::unlink(draft.c_str());
    return fail(ErrorCode::Unavailable, "cannot write " + file + ": " + reason);
  }
  return {};
}

int scan(const Setup& setup, const Arguments& arguments) {
  const std::string folder =
      absolute_path(arguments.words()[1], working_folder(), setup.config.environment());
  const auto found = scan_for_repositories(folder);
  if (!found) return failed(found.error());
  const std::string text = write_repositories(*found);
  if (arguments.has("dry-run")) {
    std::cout << text;
    return 0;
  }
  if (found->empty())
    return failed({ErrorCode::NotFound, "no git checkout in " + folder + ", 4 folders deep"});
  if (auto written = write_file(setup.repos_file, text, arguments.has("force")); !written) {
    return failed(written.error());
  }
  for (const auto& repository : *found)
    std::cout << repository.name << "\t" << repository.path << "\n";
  std::cout << found->size() << " repositories written to " << setup.repos_file << "\n";
  return 0;
}

int check(const Setup& setup) {
  const auto repositories = load_repositories(setup, working_folder());
  if (!repositories) return failed(repositories.error());
  if (!repositories->note.empty()) std::cout << repositories->note << "\n";
  int broken = 0;
  for (const auto& repository : repositories->index->all()) {
    std::error_code error;
    const std::filesystem::path path = repository.path;
    std::string state = "ok";
    if (!std::filesystem::is_directory(path, error)) {
      state = "missing";
    } else if (!std::filesystem::exists(path / ".git", error)) {
      state = "not a git checkout";
    }
    if (state != "ok") ++broken;
    std::cout << state << "\t" << repository.name << "\t" << repository.path << "\n";
  }
  std::cout << repositories->index->all().size() << " repositories, " << broken
            << " with a problem\n";
  return broken == 0 ? 0 : 1;
}

}  // namespace

int repos_verb(const Arguments& arguments) {
  const auto& words = arguments.words();
  const bool scans = words.size() == 2 && words[0] == "scan";
  const bool checks = words.size() == 1 && words[0] == "check";
  if (!scans && !checks) {
    std::cerr << "mahavishnu repos: say `mahavishnu repos scan DIR` or `mahavishnu repos check`\n";
    return 2;
  }
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  return scans ? scan(*setup, arguments) : check(*setup);
}

}  // namespace mahavishnu::app
