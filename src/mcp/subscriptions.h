// Who is to be told when what the server offers has changed.
//
// A subscription never queues: it keeps which kinds of change and which of its resources are still
// to be told, so that whoever reads slowly hears "changed" once for many changes, and what is kept
// is bounded by what was subscribed to. When there are many, some are woken at a time, and whatever
// else the executor has to do goes between. One executor. Lifetime: the list longer than its
// members.
#pragma once

#include <bitset>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/asio.h"
#include "mcp/eras.h"
#include "mcp/notices.h"
#include "mcp/peer.h"
#include "mcp/permit.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

enum class Change { Tools, Prompts, Resources };  // one of the lists
inline constexpr std::size_t kChanges = 3;

// What somebody wants to hear of.
struct ChangeFilter {
  std::bitset<kChanges> lists;
  std::set<std::string, std::less<>> uris;
  TaskHandles tasks;

  bool wants(Change change) const { return lists.test(static_cast<std::size_t>(change)); }
};

// What is told of the task with this handle now; null: there is none any more.
using TaskNews = std::function<base::awaitable<rpc::Json>(std::string handle)>;

class Subscription;

class Subscriptions {
 public:
  static constexpr std::size_t kWokenAtOnce = 8;

  explicit Subscriptions(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void changed(Change change);
  void updated(std::string_view uri);
  void task_changed(std::string_view subject);
  std::size_t size() const { return all_.size(); }

 private:
  friend class Subscription;
  void wake_soon(Subscription& one);
  void wake_some();
  void post_wake();

  asio::any_io_executor executor_;
  std::list<Subscription*> all_;
  std::list<Subscription*> due_;  // have something to tell and are not woken yet
  bool posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // known to what is posted
};

class Subscription {
 public:
  // `id` (null: a session's, which needs none) goes with every notification. `session`, when there
  // is one, is asked for resources and tasks instead of the filter; it must outlive this. `news`
  // may be empty where no tasks are watched. The tasks of a filter are told of at once. `permit`,
  // when there is one, is asked before anything is told.
  Subscription(Subscriptions& all, asio::any_io_executor executor, ChangeFilter filter,
               rpc::Json id, std::shared_ptr<const Permit> permit, TaskNews news,
               Peer* session = nullptr);
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  // Tells `sink` of every change until `stop`, or until the peer is gone or may not hear it.
  base::awaitable<void> tell(NoticeSink& sink);
  void stop();

 private:
  friend class Subscriptions;
  void note(Change change);
  void note(std::string_view uri);
  void note_task(std::string_view subject);
  std::string next();  // the notification that is due, taken out; "": none is
  // The same of a task, as it is when it is told of.
  base::awaitable<std::string> next_task();
  void forget_task(std::string_view handle);
  std::string encode(std::string_view method, rpc::Json params) const;

  Subscriptions& all_;
  std::list<Subscription*>::iterator place_;
  bool due_ = false;  // among those to be woken
  ChangeFilter filter_;
  rpc::Json id_;
  std::shared_ptr<const Permit> permit_;
  TaskNews news_;
  Peer* session_;
  std::bitset<kChanges> changed_;
  std::set<std::string, std::less<>> updated_;
  std::set<std::string, std::less<>> tasks_;  // their handles
  asio::steady_timer wake_;
  bool stopped_ = false;
};

}  // namespace mahavishnu::mcp
