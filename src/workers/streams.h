// The pipes between a shim and the command: stdin fed from a text, stdout and stderr read.
//
// The shim keeps its copies of the writing ends: the end of a pipe says nothing about the end of an
// attempt (a command may close its pipes, a stranger may hold them), so it is never waited for.
// Reads only what poll(2) announced. One thread.
#pragma once

#include <poll.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "workers/descriptor.h"
#include "workers/kept_output.h"

namespace mahavishnu::workers {

class Streams {
 public:
  // An empty text: stdin is our own, which is /dev/null.
  base::Status open(std::string stdin_text);

  int child_in() const { return in_read_ ? in_read_.get() : 0; }
  int child_out() const { return out_write_.get(); }
  int child_err() const { return err_write_.get(); }

  // The command has its stdin: the next one gets /dev/null.
  void handed_over() { in_read_.reset(); }

  void add_polls(std::vector<pollfd>& polls) const;
  // True when output came.
  bool take(const std::vector<pollfd>& polls, KeptOutput& output);
  // What the pipes still hold, without waiting.
  void drain(KeptOutput& output);

 private:
  void feed();
  static bool read_once(int pipe, Tag stream, KeptOutput& output);

  std::string text_;
  std::size_t fed_ = 0;
  Descriptor in_read_, in_write_, out_read_, out_write_, err_read_, err_write_;
};

}  // namespace mahavishnu::workers
