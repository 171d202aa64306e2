#include "workers/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

namespace mahavishnu::workers {
namespace {

struct Mount {
  std::string root;
  std::string point;
  std::string type;     // cgroup or cgroup2
  std::string options;  // v1: the controllers
};

bool has_word(const std::string& list, const std::string& word, char separator) {
  std::istringstream words(list);
  for (std::string each; std::getline(words, each, separator);) {
    if (each == word) return true;
  }
  return false;
}

// proc(5), /proc/pid/mountinfo: "id parent dev root point options… - type source super-options".
std::vector<Mount> cgroup_mounts() {
  std::vector<Mount> mounts;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    Mount mount;
    std::string skipped;
    std::istringstream head(line.substr(0, dash));
    std::istringstream tail(line.substr(dash + 3));
    head >> skipped >> skipped >> skipped >> mount.root >> mount.point;
    tail >> mount.type >> skipped >> mount.options;
    if (mount.type.starts_with("cgroup")) mounts.push_back(std::move(mount));
  }
  return mounts;
}

// cgroups(7), /proc/pid/cgroup: "hierarchy:controllers:path"; v2 has no controllers.
std::string own_path(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool match = controller.empty() ? controllers.empty() && line.starts_with("0:")
                                          : has_word(controllers, controller, ',');
    if (match) return line.substr(second + 1);
  }
  return {};
}

std::optional<std::string> own_dir(const std::string& controller) {
  for (const auto& mount : cgroup_mounts()) {
    const bool match = controller.empty()
                           ? mount.type == "cgroup2"
                           : mount.type == "cgroup" && has_word(mount.options, controller, ',');
    if (!match) continue;
    std::string path = own_path(controller);
    if (path.empty()) return std::nullopt;
    // Inside a container the mount may show only a part of the hierarchy.
    if (mount.root != "/" && path.starts_with(mount.root)) path.erase(0, mount.root.size());
    if (path == "/" || path.starts_with("/..")) path.clear();
    return mount.point + path;
  }
  return std::nullopt;
}

std::string read_text(const std::string& path) {
  std::ostringstream read;  // a group that is gone fails the read, which an iterator would throw
  read << std::ifstream(path).rdbuf();
  std::string text = read.str();
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool write_text(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// v2: children may use the controller, or can be allowed to.
bool delegates(const std::string& dir, const std::string& controller) {
  if (!has_word(read_text(dir + "/cgroup.controllers"), controller, ' ')) return false;
  const std::string control = dir + "/cgroup.subtree_control";
  return has_word(read_text(control), controller, ' ') || write_text(control, "+" + controller);
}

std::uint64_t count_of(const std::string& path, const std::string& key) {
  std::istringstream lines(read_text(path));
  std::string name;
  for (std::uint64_t value = 0; lines >> name >> value;) {
    if (name == key) return value;
  }
  return 0;
}

// Our own group, then the one beside us: a v2 group with processes may not have limited children.
std::vector<std::string> v2_places() {
  const auto own = own_dir("");
  if (!own) return {};
  std::vector<std::string> places{*own};
  const std::string above = own->substr(0, own->rfind('/'));
  if (::access((above + "/cgroup.procs").c_str(), F_OK) == 0) places.push_back(above);
  return places;
}

}  // namespace

Cgroup::Cgroup(const std::string& name, std::uint64_t memory_bytes, std::uint64_t processes) {
  if (join_v2(name, memory_bytes, processes)) return;
  if (memory_bytes > 0) {
    const std::string dir = join_v1("memory", name);
    if (!dir.empty() && write_text(dir + "/memory.limit_in_bytes", std::to_string(memory_bytes))) {
      // Only there with swap accounting; without it swap is not counted.
      write_text(dir + "/memory.memsw.limit_in_bytes", std::to_string(memory_bytes));
      if (enter(dir)) memory_ = dir;
    }
  }
  if (processes > 0) {
    const std::string dir = join_v1("pids", name);
    if (!dir.empty() && write_text(dir + "/pids.max", std::to_string(processes)) && enter(dir)) {
      pids_ = dir;
    }
  }
}

bool Cgroup::join_v2(const std::string& name, std::uint64_t memory_bytes, std::uint64_t processes) {
  for (const auto& place : v2_places()) {
    const bool memory = memory_bytes > 0 && delegates(place, "memory");
    const bool pids = processes > 0 && delegates(place, "pids");
    const bool whole = (memory || memory_bytes == 0) && (pids || processes == 0);
    const std::string dir = place + "/" + name;
    if (!whole || ::mkdir(dir.c_str(), 0755) != 0) continue;
    made_.push_back(dir);
    if (memory && write_text(dir + "/memory.max", std::to_string(memory_bytes))) {
      write_text(dir + "/memory.swap.max", "0");
      memory_ = dir;
    }
    if (pids && write_text(dir + "/pids.max", std::to_string(processes))) pids_ = dir;
    if ((!memory_.empty() || !pids_.empty()) && enter(dir)) {
      unified_ = true;
      return true;
    }
    memory_.clear();
    pids_.clear();
    remove();
  }
  return false;
}

std::string Cgroup::join_v1(const std::string& controller, const std::string& name) {
  const auto own = own_dir(controller);
  if (!own) return {};
  std::string dir = *own + "/" + name;
  if (::mkdir(dir.c_str(), 0755) == 0) {
    made_.push_back(dir);
  } else if (std::find(made_.begin(), made_.end(), dir) == made_.end()) {
    return {};  // otherwise both controllers are mounted together, and it is ours already
  }
  return dir;
}

bool Cgroup::enter(const std::string& dir) {
  Descriptor entry(::open((dir + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!entry) return false;
  entries_.push_back(std::move(entry));
  return true;
}

std::vector<int> Cgroup::entries() const {
  std::vector<int> numbers;
  for (const auto& entry : entries_) numbers.push_back(entry.get());
  return numbers;
}

bool Cgroup::out_of_memory() const {
  if (memory_.empty()) return false;
  const char* events = unified_ ? "/memory.events" : "/memory.oom_control";
  return count_of(memory_ + events, "oom_kill") > 0;
}

void Cgroup::remove() {
  entries_.clear();
  for (const auto& dir : made_) ::rmdir(dir.c_str());
  made_.clear();
}

void remove_cgroups(const std::string& name) {
  std::vector<std::string> places = v2_places();
  for (const char* controller : {"memory", "pids"}) {
    if (auto dir = own_dir(controller)) places.push_back(std::move(*dir));
  }
  for (const auto& place : places) ::rmdir((place + "/" + name).c_str());
}

}  // namespace mahavishnu::workers
