// What a git checkout is at, as a port: reading it touches the disk, which the control thread never
// does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace mahavishnu::domain {

struct GitState {
  bool exists = false;  // the directory is there
  std::string branch;   // "" when HEAD names none (detached)
  std::string head;     // commit, hexadecimal; "" when the branch has none yet
  std::string problem;  // why branch and head are not known, "" when they are
};

class GitFacts {
 public:
  using Answer = std::function<void(base::Result<std::vector<GitState>>)>;
  virtual ~GitFacts() = default;

  // Looks at each path now and answers in their order, on the control thread and never from inside
  // this call. Exhausted when too many looks wait. After the implementation's `stop` no answer
  // comes.
  virtual void look(std::vector<std::string> paths, Answer answer) = 0;
};

}  // namespace mahavishnu::domain
