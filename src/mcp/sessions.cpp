#include "mcp/sessions.h"

#include "mcp/unguessable.h"

namespace mahavishnu::mcp {
std::shared_ptr<Session> Sessions::open(std::string caller, Revision revision, base::MonoTime now) {
  expire(now);
  if (by_use_.size() >= most_ && !by_use_.empty()) remove(std::prev(by_use_.end()));
  auto session = std::make_shared<Session>();
  session->id = unguessable_id();
  session->caller = std::move(caller);
  session->revision = revision;
  session->used = now;
  by_use_.push_front(session);
  by_id_.emplace(session->id, by_use_.begin());
  return session;
}

std::shared_ptr<Session> Sessions::find(std::string_view id, std::string_view caller,
                                        base::MonoTime now) {
  expire(now);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || (*found->second)->caller != caller) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second);
  by_use_.front()->used = now;
  return by_use_.front();
}

bool Sessions::close(std::string_view id, std::string_view caller, base::MonoTime now) {
  const auto session = find(id, caller, now);
  if (!session) return false;
  remove(by_id_.find(id)->second);
  session->calls.stop_all(StopCause::ByCaller);
  if (const auto stream = session->stream.lock()) stream->stop(StopCause::ByCaller);
  return true;
}

// Only the tail can be idle, for the list is in order of use. A session whose call still runs, or
// whose stream is open, is in use.
void Sessions::expire(base::MonoTime now) {
  while (!by_use_.empty() && now - by_use_.back()->used > idle_) {
    const auto last = std::prev(by_use_.end());
    if ((*last)->calls.size() > 0 || !(*last)->stream.expired()) {
      (*last)->used = now;
      by_use_.splice(by_use_.begin(), by_use_, last);
    } else {
      remove(last);
    }
  }
}

void Sessions::remove(Place place) {
  by_id_.erase((*place)->id);
  by_use_.erase(place);
}

}  // namespace mahavishnu::mcp
