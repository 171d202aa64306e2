#include "app/transcript_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

constexpr int kMostNames = 1000;
// Counted for a line besides its text.
constexpr std::size_t kLineCost = 256;

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto number = static_cast<unsigned char>(byte);
    text += kDigits[number >> 4];
    text += kDigits[number & 15];
  }
  return text;
}

// What is no document is kept to the byte: a bug report is often about just that.
std::string no_document(std::string_view text) {
  try {
    return "\"raw\": " + Json(text).dump();
  } catch (const Json::type_error&) {  // not UTF-8
    return "\"hex\": \"" + hex(text) + "\"";
  }
}

std::string message_of(const TranscriptLine& line) {
  const std::string key = "\"" + line.key + "\": ";
  if (line.text.empty()) return key + "null";
  const bool one_line = line.text.find_first_of("\r\n") == std::string::npos;
  if (one_line && rpc::parse(line.text)) return key + line.text;
  return line.key == "in" ? no_document(line.text) : key + rpc::dump(line.text);
}

std::string render(const TranscriptLine& line) {
  std::string text = "{";
  if (!line.key.empty()) text += message_of(line);
  for (const auto& member : line.members.items()) {
    if (text.size() > 1) text += ", ";
    text += rpc::dump(member.key()) + ": " + rpc::dump(member.value());
  }
  return text + "}\n";
}

std::string render_cut(const std::string& what) {
  TranscriptLine line;
  line.members["cut"] = what;
  return render(line);
}

std::string cut_messages(std::uint64_t count) {
  return render_cut(std::to_string(count) +
                    " messages: they came faster than the file was written");
}

}  // namespace

Result<std::unique_ptr<TranscriptFile>> TranscriptFile::create(const std::string& path,
                                                               TranscriptLimits limits) {
  for (int number = 0; number < kMostNames; ++number) {
    const std::string name = number == 0 ? path : path + "." + std::to_string(number);
    const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) return std::make_unique<TranscriptFile>(descriptor, name, limits);
    if (errno != EEXIST) {
      return fail(ErrorCode::InvalidArgument,
                  "--record: cannot make " + name + ": " + std::strerror(errno));
    }
  }
  return fail(ErrorCode::InvalidArgument, "--record: " + path + " and " +
                                              std::to_string(kMostNames - 1) +
                                              " numbered ones are there already; remove some");
}

TranscriptFile::TranscriptFile(int descriptor, std::string path, TranscriptLimits limits)
    : descriptor_(descriptor),
      path_(std::move(path)),
      limits_(limits),
      writer_([this] { run(); }) {}

TranscriptFile::~TranscriptFile() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  writer_.join();
  ::close(descriptor_);
}

void TranscriptFile::add(TranscriptLine line) {
  const std::size_t cost = line.text.size() + kLineCost;
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (queued_bytes_ + cost > limits_.queued_bytes) {
      ++cut_;
      return;
    }
    queued_bytes_ += cost;
    queue_.push_back({std::exchange(cut_, 0), std::move(line)});
  }
  changed_.notify_one();
}

void TranscriptFile::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    const bool last = ending_;
    const std::vector<Queued> batch = std::exchange(queue_, {});
    const std::uint64_t cut_after = last ? cut_ : 0;
    lock.unlock();
    write(batch, cut_after);
    lock.lock();
    for (const Queued& each : batch) queued_bytes_ -= each.line.text.size() + kLineCost;
    if (last) return;
  }
}

void TranscriptFile::write(const std::vector<Queued>& batch, std::uint64_t cut_after) {
  for (const Queued& each : batch) {
    if (each.cut > 0 && !append(cut_messages(each.cut))) return;
    if (!append(render(each.line))) return;
  }
  if (cut_after > 0) append(cut_messages(cut_after));
}

// False: that was the last one.
bool TranscriptFile::append(const std::string& line) {
  const bool full = written_ + line.size() > limits_.file_bytes;
  const std::string text =
      full ? render_cut("all that follows: the file is as long as it may be") : line;
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t bytes = ::write(descriptor_, text.data() + done, text.size() - done);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    done += static_cast<std::size_t>(bytes);
  }
  if (done == text.size() && !full) {
    written_ += text.size();
    return true;
  }
  if (done < text.size()) {
    base::log()->warn("the recording {} ends here: {}; serving goes on", path_,
                      std::strerror(errno));
    // Its last line shall be a whole one; where even that fails, the reader finds it cut.
    [[maybe_unused]] const int cut = ::ftruncate(descriptor_, static_cast<off_t>(written_));
  } else {
    base::log()->warn("the recording {} ends here: it is {} bytes long; serving goes on", path_,
                      written_);
  }
  const std::lock_guard lock(mutex_);
  over_ = true;
  return false;
}

}  // namespace mahavishnu::app
