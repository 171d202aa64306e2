// A file of real blocks that is given up when the disk is full, so that the ends of running work
// can still be written, and is made again when there is room.
//
// While it is given up the disk counts as full: new work is refused, or it would eat the room that
// completions need. One thread. The file outlives the process; the next start finds it.
#pragma once

#include <cstdint>
#include <filesystem>

namespace mahavishnu::journal {

class Ballast {
 public:
  // Takes the file that is there, or makes it (0600) as restore() does.
  Ballast(std::filesystem::path path, std::uint64_t bytes);

  bool held() const { return held_; }
  void release();
  // Tries to have it again. Asks for an eighth more than its own size to be free, so that the room
  // it has just given up does not count as room that came back.
  void restore();
  // There is room on the disk besides: a mebibyte.
  bool has_room() const;

 private:
  std::uint64_t room() const;  // bytes
  bool allocate();

  std::filesystem::path path_;
  std::uint64_t bytes_;
  bool held_ = false;
};

}  // namespace mahavishnu::journal
