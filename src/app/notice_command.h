// A notice given to a command of the operator's: `/bin/sh -c`, the notice as JSON on its stdin.
//
// It is started from the sender's thread and not as work on a pool (docs/decisions/0176): it has to
// run when the disk is full, when no pool has room, and when the zygote is what is broken. A
// session of its own; what it leaves running when its time is up is ended with it. Exit 0: it took
// it.
#pragma once

#include <mutex>
#include <string>

#include "app/config.h"
#include "outbound/notice_sender.h"

namespace mahavishnu::app {

class NoticeCommand final : public outbound::NoticeWay {
 public:
  // `environment`: all it sees, besides MAHAVISHNU_NOTICE, the notice's text.
  NoticeCommand(std::string command, Environment environment, base::Millis limit);
  ~NoticeCommand() override;

  std::string name() const override { return "notify.command"; }
  base::Status carry(const std::string& notice) override;
  void cut() override;

 private:
  base::Result<int> start(int input, int output, const std::string& notice) const;
  base::Status await(int pid) const;

  const std::string command_;
  const Environment environment_;
  const base::Millis limit_;
  int cut_;  // an eventfd: readable once it is cut
};

}  // namespace mahavishnu::app
