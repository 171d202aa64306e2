// The folder of attempts that were given no directory. A shim makes one when it first needs it and
// takes it along from attempt to attempt, under the name it was made with: the attempt's whose it
// was first. Emptied or found empty after each of them.
//
// The folder is flock'ed as long as its shim lives, which is how the next server tells it from one
// that was left behind. One thread.
#pragma once

#include <string>

#include "workers/descriptor.h"

namespace mahavishnu::workers {

class Scratch {
 public:
  // Where it is to be, unless it has a place already. Said of every attempt without a directory,
  // whether or not that comes to need it: the server reckons so, too.
  void name(std::string path);

  // Makes it the working directory, private and empty; makes the folder if need be, from the empty
  // folder `spare` if that can be had ("": none). False: it cannot, errno tells why.
  bool enter(const std::string& spare);

  // After an attempt: a folder with something in it goes, with all of that.
  void clear();
  void remove();

 private:
  bool open();
  bool is_there() const;
  bool make(const std::string& spare);

  std::string path_;
  Descriptor folder_;
};

// Removes scratch folders of a former life that belong to nobody: no shim has them, and no attempt
// or spare is there that they will be cleared or used with.
void remove_left_scratch(const std::string& run_dir);

}  // namespace mahavishnu::workers
