#include "workers/attempt_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "workers/run_dir.h"
#include "workers/spares.h"

namespace mahavishnu::workers {
namespace {

using base::ErrorCode;
using base::fail;

std::string because(const std::string& doing, const std::string& path) {
  return doing + " " + path + ": " + std::strerror(errno);
}

base::Status write_whole(int file, const std::string& bytes, const std::string& path) {
  const ssize_t written = ::write(file, bytes.data(), bytes.size());
  if (written == static_cast<ssize_t>(bytes.size())) return {};
  if (written >= 0) errno = ENOSPC;
  return fail(ErrorCode::Exhausted, because("cannot write", path));
}

std::string encode_header(const AttemptHeader& header) {
  Writer out;
  out.number(header.protocol).number(header.task.value.high).number(header.task.value.low);
  out.number(header.attempt).number(header.fence.epoch).number(header.fence.counter);
  out.number(static_cast<std::uint64_t>(header.shim)).text(header.node);
  return encode(Kind::Header, out.take());
}

std::optional<AttemptHeader> decode_header(const Frame& frame) {
  Reader in(frame.body);
  AttemptHeader header;
  header.protocol = in.number();
  header.task.value.high = in.number();
  header.task.value.low = in.number();
  header.attempt = static_cast<std::uint32_t>(in.number());
  header.fence.epoch = in.number();
  header.fence.counter = in.number();
  header.shim = static_cast<pid_t>(in.number());
  header.node = in.text();
  if (frame.kind != Kind::Header || !in.good()) return std::nullopt;
  return header;
}

FrameBuffer read_all(int file) {
  FrameBuffer frames;
  char chunk[16384];
  for (ssize_t got; (got = ::read(file, chunk, sizeof chunk)) > 0;) {
    frames.add({chunk, static_cast<std::size_t>(got)});
  }
  return frames;
}

}  // namespace

base::Result<AttemptFile> AttemptFile::claim(const std::string& run_dir,
                                             const AttemptHeader& header,
                                             const std::string& spare) {
  const std::string path = attempt_path(run_dir, header.fence);
  const std::string content = encode_header(header);
  if (Descriptor used = open_spare(run_dir, spare, content)) {
    const std::string from = spare_path(run_dir, spare);
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
      return AttemptFile(std::move(used));
    }
    ::unlink(from.c_str());  // claimed already, or a file system that cannot: the usual way tells
  }
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    const auto code = errno == EEXIST ? ErrorCode::Conflict : ErrorCode::Unavailable;
    return fail(code, because("cannot create", path));
  }
  ::flock(file.get(), LOCK_EX);
  auto written = write_whole(file.get(), content, path);
  if (!written) {
    ::unlink(path.c_str());
    return fail(written.error());
  }
  return AttemptFile(std::move(file));
}

bool AttemptFile::claim_next(const std::string& run_dir, Fence former,
                             const AttemptHeader& header) {
  const std::string from = attempt_path(run_dir, former);
  const std::string to = attempt_path(run_dir, header.fence);
  const bool moved =
      rewrite(file_.get(), encode_header(header)) &&
      ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0;
  if (!moved) ::unlink(from.c_str());
  return moved;
}

void AttemptFile::unlock() { ::flock(file_.get(), LOCK_UN); }

base::Status AttemptFile::write_end(const AttemptEnded& end) {
  return write_whole(file_.get(), encode_end(end), "the attempt's end record");
}

base::Result<AttemptState> read_attempt(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    const auto code = errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Internal;
    return fail(code, because("cannot open", path));
  }
  AttemptState state;
  // Before the content is read: a shim that is found dead has written all it will.
  state.alive = ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
  FrameBuffer frames = read_all(file.get());
  const auto first = frames.next();
  const auto header = first ? decode_header(*first) : std::nullopt;
  if (!header) return fail(ErrorCode::Internal, path + " was cut short");
  state.header = *header;
  const auto second = frames.next();
  if (second && second->kind == Kind::Ended) state.end = decode_end(second->body);
  return state;
}

}  // namespace mahavishnu::workers
