// Preloaded into a server (LD_PRELOAD), makes it a process of FILL_MEMORY_MB megabytes that it has
// touched: what a fork would have to copy page tables for. Children get neither variable.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

__attribute__((constructor)) static void fill_memory() {
  const char* megabytes = getenv("FILL_MEMORY_MB");
  if (megabytes == nullptr) return;
  const size_t size = strtoul(megabytes, nullptr, 10) << 20U;
  unsetenv("FILL_MEMORY_MB");
  unsetenv("LD_PRELOAD");
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  madvise(memory, size, MADV_NOHUGEPAGE);  // 4 KiB pages, as a heap has them
  memset(memory, 1, size);
}
