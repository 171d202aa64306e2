// A notice as a POST to a URL: a chat's or pager's webhook.
//
// One connection, behind a breaker of its own ("notify https://…"). The answer's body is not looked
// at: 2xx took it, 408, 425, 429 and 5xx are worth another try, all else refuses it for good.
#pragma once

#include <memory>
#include <string>

#include "net/http_client.h"
#include "outbound/breaker_board.h"
#include "outbound/notice_sender.h"

namespace mahavishnu::outbound {

struct NoticePostOptions {
  std::string url;    // may have a query, as webhooks do
  std::string token;  // bearer; "": none
  net::HttpClientOptions http;
};

class NoticePost final : public NoticeWay {
 public:
  // What the breaker of a notice's way is called begins so: no notice is worth sending about it.
  static constexpr const char* kTarget = "notify ";

  // InvalidArgument: the url is none.
  static base::Result<std::unique_ptr<NoticePost>> make(NoticePostOptions options,
                                                        BreakerBoard& breakers);

  std::string name() const override { return client_->origin().str(); }
  base::Status carry(const std::string& notice) override;
  void cut() override { client_->stop(); }

 private:
  NoticePost(std::unique_ptr<net::HttpClient> client, std::string path, std::string token,
             std::shared_ptr<Fuse> fuse);

  const std::unique_ptr<net::HttpClient> client_;
  const std::string path_;  // with the query: may be a secret, never shown
  const std::string token_;
  const std::shared_ptr<Fuse> fuse_;
};

}  // namespace mahavishnu::outbound
