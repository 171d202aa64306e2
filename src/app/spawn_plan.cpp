#include "app/spawn_plan.h"

#include <fcntl.h>

#include <csignal>

namespace mahavishnu::app {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

SpawnPlan::SpawnPlan() {
  ::posix_spawn_file_actions_init(&actions_);
  ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
  for (const int to : {1, 2}) {
    ::posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", O_WRONLY, 0);
  }
  ::posix_spawnattr_init(&attributes_);
  sigset_t all, none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes_, &all);
  ::posix_spawnattr_setsigmask(&attributes_, &none);
  ::posix_spawnattr_setflags(
      &attributes_,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
}

SpawnPlan::~SpawnPlan() {
  ::posix_spawn_file_actions_destroy(&actions_);
  ::posix_spawnattr_destroy(&attributes_);
}

void SpawnPlan::connect(int from, int to) {
  ::posix_spawn_file_actions_adddup2(&actions_, from, to);
}

void SpawnPlan::append(const std::string& file, int to) {
  ::posix_spawn_file_actions_addopen(&actions_, to, file.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
}

int SpawnPlan::run(pid_t& pid, const std::string& binary, std::vector<std::string> words,
                   std::vector<std::string> environment) {
  ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
  ::posix_spawn_file_actions_addchdir_np(&actions_, "/");
  return ::posix_spawn(&pid, binary.c_str(), &actions_, &attributes_, pointers(words).data(),
                       pointers(environment).data());
}

}  // namespace mahavishnu::app
