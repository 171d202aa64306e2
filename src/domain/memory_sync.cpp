#include "domain/memory_sync.h"

namespace mahavishnu::domain {

std::string_view to_string(SyncStatus::State state) {
  switch (state) {
    case SyncStatus::State::Off:
      return "off";
    case SyncStatus::State::Idle:
      return "idle";
    case SyncStatus::State::Sending:
      return "sending";
    case SyncStatus::State::Waiting:
      return "waiting";
    case SyncStatus::State::Down:
      return "down";
  }
  return "";
}

}  // namespace mahavishnu::domain
