// Tells an operator of what should not wait for the morning: looks at the server now and then,
// hears of every commit, and hands what is due to the ways there are (a URL, a command).
//
// Control thread; sending is on threads of its own. What was not sent when the server ends is
// dropped: news are of one life of the server. Lifetime: await stop() before destruction; what the
// sources look at outlives it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "app/config.h"
#include "app/night_news.h"
#include "base/asio.h"
#include "base/task_group.h"
#include "control/service.h"
#include "outbound/breaker_board.h"
#include "outbound/notice_sender.h"

namespace mahavishnu::app {

class NightWatch {
 public:
  static constexpr base::Millis kEvery{2000};

  using Reader = std::function<NightReading()>;
  using Senders = std::vector<std::unique_ptr<outbound::NoticeSender>>;

  // Null: neither notify.url nor notify.command is set. InvalidArgument names the setting.
  static base::Result<std::unique_ptr<NightWatch>> make(asio::any_io_executor control,
                                                        const Config& config,
                                                        const std::string& node,
                                                        outbound::BreakerBoard& breakers,
                                                        Reader reader);
  NightWatch(asio::any_io_executor control, NightNews::Options options, Senders senders,
             Reader reader);

  void start(control::Service& service);
  void committed(const std::vector<domain::Record>& records);
  // What is due is handed over, and the ways get a moment to carry it.
  base::awaitable<void> stop();

  void add_metrics(control::Metrics& metrics) const;

 private:
  struct Ended {
    domain::WorkflowId workflow;
    domain::WorkflowStatus status;
  };
  base::awaitable<void> run();
  base::awaitable<void> name_workflows();
  base::awaitable<void> end_senders();
  void tell();

  NightNews news_;
  const Senders senders_;
  const Reader reader_;
  control::Service* service_ = nullptr;
  std::deque<Ended> failed_;  // to be looked up
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
