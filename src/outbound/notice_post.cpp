#include "outbound/notice_post.h"

#include <algorithm>
#include <future>
#include <utility>

namespace mahavishnu::outbound {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

Result<std::unique_ptr<NoticePost>> NoticePost::make(NoticePostOptions options,
                                                     BreakerBoard& breakers) {
  options.http.connections = 1;
  const std::string query = options.url.substr(std::min(options.url.find('?'), options.url.size()));
  options.url.resize(options.url.size() - query.size());
  auto client = net::HttpClient::make(options.url, std::move(options.http));
  if (!client) return fail(std::move(client.error()));
  auto fuse = breakers.fuse(kTarget + (*client)->origin().str());
  const std::string& path = (*client)->origin().path;
  std::string target = (path.empty() ? "/" : path) + query;
  return std::unique_ptr<NoticePost>(new NoticePost(std::move(*client), std::move(target),
                                                    std::move(options.token), std::move(fuse)));
}

NoticePost::NoticePost(std::unique_ptr<net::HttpClient> client, std::string path, std::string token,
                       std::shared_ptr<Fuse> fuse)
    : client_(std::move(client)),
      path_(std::move(path)),
      token_(std::move(token)),
      fuse_(std::move(fuse)) {}

Status NoticePost::carry(const std::string& notice) {
  const Fuse::Pass pass = fuse_->ask();
  if (!pass.allowed()) return fail(ErrorCode::Unavailable, "its breaker is open");
  net::HttpCall call;
  call.path = path_;
  call.body = notice;
  if (!token_.empty()) call.headers.emplace_back("Authorization", "Bearer " + token_);
  std::promise<Result<net::HttpReply>> told;
  client_->send(std::move(call),
                [&told](Result<net::HttpReply> reply) { told.set_value(std::move(reply)); });
  const auto reply = told.get_future().get();
  if (!reply) {
    if (reply.error().code == ErrorCode::Cancelled) {
      fuse_->dropped(pass);
    } else {
      fuse_->failed(pass, reply.error().message);
    }
    return fail(ErrorCode::Unavailable, reply.error().message);
  }
  const int status = reply->status;
  if (status >= 200 && status < 300) {
    fuse_->succeeded(pass);
    return {};
  }
  const std::string said = "it answered " + std::to_string(status);
  if (status >= 500 || status == 408 || status == 425 || status == 429) {
    fuse_->failed(pass, said);
    return fail(ErrorCode::Unavailable, said);
  }
  fuse_->succeeded(pass);  // the server is well, the notice is not
  return fail(ErrorCode::InvalidArgument, said);
}

}  // namespace mahavishnu::outbound
