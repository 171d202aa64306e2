// The resources, templates and prompts of a server: found by name or URI, listed for every
// revision.
//
// Built once from an Offer. Knows no transport and runs nothing. One executor.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "mcp/eras.h"
#include "mcp/offer.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

class Catalog {
 public:
  // InvalidArgument names what is there twice, has no reader, or whose template is none.
  static base::Result<Catalog> create(Offer offer);

  const Offer& offer() const { return offer_; }
  bool has_resources() const { return !offer_.resources.empty() || !offer_.templates.empty(); }
  bool has_prompts() const { return !offer_.prompts.empty(); }
  bool has_completions() const { return completes_; }

  // Who reads `uri`: a listed resource, else the first template that matches.
  struct Found {
    const ResourceReader* read = nullptr;
    UriVariables values;
    base::Millis fresh{0};
  };
  base::Result<Found> find_resource(const std::string& uri) const;

  base::Result<const Prompt*> find_prompt(std::string_view name) const;

  // Who completes an argument of a prompt, or a variable of a template (by its text, or the URI of
  // a listed resource, which has none). nullptr: nobody does. InvalidArgument: no such argument.
  base::Result<const Completer*> completer_of_prompt(std::string_view name,
                                                     std::string_view argument) const;
  base::Result<const Completer*> completer_of_template(std::string_view uri_template,
                                                       std::string_view argument) const;

  // Items of the lists, in the order they were offered.
  rpc::Json resource(std::size_t index, Revision revision) const;
  rpc::Json resource_template(std::size_t index, Revision revision) const;
  rpc::Json prompt(std::size_t index, Revision revision) const;

 private:
  Catalog() = default;
  base::Status index();

  Offer offer_;
  std::vector<UriTemplate> templates_;  // parsed, in the order of the offer
  std::unordered_map<std::string, std::size_t> resources_;
  std::unordered_map<std::string, std::size_t> prompts_;
  bool completes_ = false;
};

}  // namespace mahavishnu::mcp
