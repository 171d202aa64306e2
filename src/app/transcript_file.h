// A file of conversation lines that grows beside the server and cannot hurt it.
//
// add() never waits: a bounded queue goes to a thread of its own, which makes lines of it (one JSON
// object each, the format of tests/transcripts) and writes them at once, so that a crash costs what
// is in the queue at most. What does not fit into the queue is cut, and the file says how much; at
// its longest the file says so and stays. A failing write is logged once and ends the recording on
// its last whole line; whoever calls add() does not notice. One thread adds.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "rpc/json.h"

namespace mahavishnu::app {

struct TranscriptLimits {
  std::size_t queued_bytes = std::size_t{8} << 20;
  std::uint64_t file_bytes = std::uint64_t{256} << 20;
};

struct TranscriptLine {
  // What stands first in the line: a message as it was sent ("" : only the members).
  std::string key;  // "in", "out"
  std::string text;
  rpc::Json members = rpc::Json::object();  // what follows
};

class TranscriptFile {
 public:
  // Makes `path` (0600), or, when that is there already, the first free one of path.1, path.2, …:
  // no recording replaces another.
  static base::Result<std::unique_ptr<TranscriptFile>> create(const std::string& path,
                                                              TranscriptLimits limits = {});
  // Takes an open descriptor over.
  TranscriptFile(int descriptor, std::string path, TranscriptLimits limits);
  // Writes what is queued.
  ~TranscriptFile();
  TranscriptFile(const TranscriptFile&) = delete;
  TranscriptFile& operator=(const TranscriptFile&) = delete;

  void add(TranscriptLine line);
  const std::string& path() const { return path_; }

 private:
  struct Queued {
    std::uint64_t cut;  // so many before it were not kept
    TranscriptLine line;
  };
  void run();
  void write(const std::vector<Queued>& batch, std::uint64_t cut_after);
  bool append(const std::string& line);

  const int descriptor_;
  const std::string path_;
  const TranscriptLimits limits_;
  std::uint64_t written_ = 0;  // of the writer: whole lines

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Queued> queue_;
  std::size_t queued_bytes_ = 0;
  std::uint64_t cut_ = 0;
  bool over_ = false;  // nothing is written any more: it failed, or the file is full
  bool ending_ = false;

  std::thread writer_;
};

}  // namespace mahavishnu::app
