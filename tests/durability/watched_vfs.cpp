#include "durability/watched_vfs.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <new>

namespace mahavishnu::durability {
namespace {

constexpr std::size_t kSector = 512;

struct File {
  sqlite3_file base;
  sqlite3_file* real;
  std::string* name;  // null: not watched
};

File* as_file(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) { return as_file(file)->real; }

int x_close(sqlite3_file* file) {
  const int code = real(file)->pMethods->xClose(real(file));
  delete as_file(file)->name;
  return code;
}
int x_read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return real(file)->pMethods->xRead(real(file), to, size, at);
}
int x_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  if (as_file(file)->name == nullptr)
    return real(file)->pMethods->xWrite(real(file), data, size, at);
  if (const auto code = WatchedVfs::get().failure(Op::Kind::Write)) return *code;
  const int code = real(file)->pMethods->xWrite(real(file), data, size, at);
  if (code == SQLITE_OK) {
    std::string bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
    WatchedVfs::get().add({Op::Kind::Write, *as_file(file)->name, at, std::move(bytes), 0});
  }
  return code;
}
int x_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (as_file(file)->name == nullptr) return real(file)->pMethods->xTruncate(real(file), size);
  if (const auto code = WatchedVfs::get().failure(Op::Kind::Truncate)) return *code;
  const int code = real(file)->pMethods->xTruncate(real(file), size);
  if (code == SQLITE_OK) {
    WatchedVfs::get().add({Op::Kind::Truncate, *as_file(file)->name, size, {}, 0});
  }
  return code;
}
// A sync covers what was written before it began.
int x_sync(sqlite3_file* file, int flags) {
  if (as_file(file)->name == nullptr) return real(file)->pMethods->xSync(real(file), flags);
  if (const auto code = WatchedVfs::get().failure(Op::Kind::Sync)) return *code;
  const int code = real(file)->pMethods->xSync(real(file), flags);
  if (code == SQLITE_OK) WatchedVfs::get().add({Op::Kind::Sync, *as_file(file)->name, 0, {}, 0});
  return code;
}
int x_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int x_lock(sqlite3_file* file, int lock) { return real(file)->pMethods->xLock(real(file), lock); }
int x_unlock(sqlite3_file* file, int lock) {
  return real(file)->pMethods->xUnlock(real(file), lock);
}
int x_reserved(sqlite3_file* file, int* out) {
  return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int x_control(sqlite3_file* file, int what, void* arg) {
  return real(file)->pMethods->xFileControl(real(file), what, arg);
}
int x_sector(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int x_device(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int x_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** to) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, to);
}
int x_shm_lock(sqlite3_file* file, int offset, int n, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, n, flags);
}
void x_shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int x_shm_unmap(sqlite3_file* file, int remove) {
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

// Version 2: no memory-mapped pages, so that every write is seen.
const sqlite3_io_methods kMethods = {
    2,          x_close,       x_read,      x_write,   x_truncate, x_sync,   x_size,
    x_lock,     x_unlock,      x_reserved,  x_control, x_sector,   x_device, x_shm_map,
    x_shm_lock, x_shm_barrier, x_shm_unmap, nullptr,   nullptr};

sqlite3_vfs* system_vfs() { return WatchedVfs::get().system(); }

int v_open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out) {
  File* mine = new (file) File{};
  mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
  mine->real->pMethods = nullptr;
  const int code = system_vfs()->xOpen(system_vfs(), path, mine->real, flags, out);
  if (mine->real->pMethods == nullptr) return code;
  mine->base.pMethods = &kMethods;
  if (path != nullptr) {
    if (auto name = WatchedVfs::get().name_of(path)) mine->name = new std::string(std::move(*name));
  }
  return code;
}
int v_delete(sqlite3_vfs*, const char* path, int sync) {
  const int code = system_vfs()->xDelete(system_vfs(), path, sync);
  const auto name = WatchedVfs::get().name_of(path);
  if (code == SQLITE_OK && name) WatchedVfs::get().add({Op::Kind::Delete, *name, 0, {}, 0});
  return code;
}
int v_access(sqlite3_vfs*, const char* path, int flags, int* out) {
  return system_vfs()->xAccess(system_vfs(), path, flags, out);
}
int v_full(sqlite3_vfs*, const char* path, int size, char* out) {
  return system_vfs()->xFullPathname(system_vfs(), path, size, out);
}
int v_random(sqlite3_vfs*, int size, char* out) {
  return system_vfs()->xRandomness(system_vfs(), size, out);
}
int v_sleep(sqlite3_vfs*, int micros) { return system_vfs()->xSleep(system_vfs(), micros); }
int v_time(sqlite3_vfs*, double* out) { return system_vfs()->xCurrentTime(system_vfs(), out); }
int v_error(sqlite3_vfs*, int size, char* out) {
  return system_vfs()->xGetLastError(system_vfs(), size, out);
}
int v_time64(sqlite3_vfs*, sqlite3_int64* out) {
  return system_vfs()->xCurrentTimeInt64(system_vfs(), out);
}

void apply(const Op& op, std::string& bytes, std::size_t size) {
  const auto at = static_cast<std::size_t>(op.offset);
  if (op.kind == Op::Kind::Truncate) return bytes.resize(at);
  if (bytes.size() < at + size) bytes.resize(at + size);
  std::copy_n(op.data.begin(), size, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

// ── Power loss ───────────────────────────────────────────────────────────────────────────────────

Files disk_at(const Log& log, std::size_t end, domain::Chance* tear) {
  Files files;
  std::map<std::string, std::vector<const Op*>> unsynced;
  for (std::size_t i = 0; i < end; ++i) {
    const Op& op = log[i];
    switch (op.kind) {
      case Op::Kind::Write:
      case Op::Kind::Truncate:
        unsynced[op.file].push_back(&op);
        break;
      case Op::Kind::Sync:
        for (const Op* one : unsynced[op.file]) apply(*one, files[op.file], one->data.size());
        unsynced[op.file].clear();
        break;
      case Op::Kind::Delete:
        files.erase(op.file);
        unsynced.erase(op.file);
        break;
      case Op::Kind::Mark:
        break;
    }
  }
  if (tear == nullptr) return files;
  for (const auto& [file, ops] : unsynced) {
    for (const Op* op : ops) {
      const std::uint64_t chance = tear->draw();
      if (chance % 2 == 0) continue;
      const std::size_t sectors = op->data.size() / kSector;
      const bool torn = chance % 8 == 1 && sectors > 0;
      apply(*op, files[file], torn ? kSector * (tear->draw() % (sectors + 1)) : op->data.size());
    }
  }
  return files;
}

void put_files(const Files& files, const std::filesystem::path& directory) {
  for (const auto& [name, bytes] : files) {
    std::ofstream(directory / name, std::ios::binary) << bytes;
  }
}

// ── The VFS ──────────────────────────────────────────────────────────────────────────────────────

WatchedVfs& WatchedVfs::get() {
  static WatchedVfs vfs;
  return vfs;
}

WatchedVfs::WatchedVfs() : system_(sqlite3_vfs_find(nullptr)) {
  vfs_.iVersion = 2;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + system_->szOsFile;
  vfs_.mxPathname = system_->mxPathname;
  vfs_.zName = "watched";
  vfs_.xOpen = v_open;
  vfs_.xDelete = v_delete;
  vfs_.xAccess = v_access;
  vfs_.xFullPathname = v_full;
  vfs_.xRandomness = v_random;
  vfs_.xSleep = v_sleep;
  vfs_.xCurrentTime = v_time;
  vfs_.xGetLastError = v_error;
  vfs_.xCurrentTimeInt64 = v_time64;
  sqlite3_vfs_register(&vfs_, 1);
}

void WatchedVfs::watch(const std::filesystem::path& directory) {
  const std::lock_guard lock(mutex_);
  directory_ = directory.string() + "/";
  log_.clear();
  calls_ = fail_from_ = fail_until_ = failed_ = 0;
}

void WatchedVfs::mark(std::uint64_t what) { add({Op::Kind::Mark, {}, 0, {}, what}); }

Log WatchedVfs::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

void WatchedVfs::fail(std::size_t at, std::size_t times, int code) {
  const std::lock_guard lock(mutex_);
  calls_ = 0;
  fail_from_ = at;
  fail_until_ = at + times;
  fail_code_ = code;
}

std::size_t WatchedVfs::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

std::optional<std::string> WatchedVfs::name_of(const char* path) const {
  const std::lock_guard lock(mutex_);
  const std::string text(path);
  if (directory_.empty() || !text.starts_with(directory_ + "journal.db")) return std::nullopt;
  return text.substr(directory_.size());
}

std::optional<int> WatchedVfs::failure(Op::Kind kind) {
  const std::lock_guard lock(mutex_);
  if ((kind == Op::Kind::Sync) != (fail_code_ == SQLITE_IOERR_FSYNC)) return std::nullopt;
  const std::size_t call = calls_++;
  if (call < fail_from_ || call >= fail_until_) return std::nullopt;
  ++failed_;
  return fail_code_;
}

void WatchedVfs::add(Op op) {
  const std::lock_guard lock(mutex_);
  log_.push_back(std::move(op));
}

}  // namespace mahavishnu::durability
