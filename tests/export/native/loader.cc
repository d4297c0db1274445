// Loads a SavedModel with the loader of TensorFlow Serving, and answers its warm-up
// requests as Serving's Predict does. No Python runs.
//
//   loader VERSION_FOLDER OUT
//
// Requests: VERSION_FOLDER/assets.extra/tf_serving_warmup_requests, a TFRecord of
// tensorflow.serving.PredictionLog. Answers: OUT, a TFRecord of
// tensorflow.NamedTensorProto with the names `<index>/<signature>/<output>`, written
// whole or not at all. On an error: one line `loader: ...` on stderr, exit status 1.

#include <dlfcn.h>

#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/lib/io/record_writer.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/protobuf/named_tensor.pb.h"

namespace {

using absl::InvalidArgumentError;
using absl::Status;
using absl::StrCat;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using tensorflow::Tensor;
using tensorflow::TensorInfo;
using TensorInfos = google::protobuf::Map<std::string, TensorInfo>;

constexpr char kRequests[] = "/assets.extra/tf_serving_warmup_requests";
constexpr int kMostRequests = 1000;  // Serving refuses a file with more

struct Request {
  std::string signature = "serving_default";
  std::map<std::string, tensorflow::TensorProto> inputs;
};

Status Annotate(const std::string& where, const Status& status) {
  if (status.ok()) return status;
  return Status(status.code(), StrCat(where, ": ", status.message()));
}

// ---- requests --------------------------------------------------------------------
// Serving's messages are no part of TensorFlow: their few fields are walked by number.

// Calls `visit` with the number and the bytes of every string or message in `bytes`.
Status VisitFields(const std::string& bytes,
                   const std::function<Status(int, const std::string&)>& visit) {
  CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  while (const uint32_t tag = stream.ReadTag()) {
    const bool delimited = WireFormatLite::GetTagWireType(tag) ==
                           WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    uint32_t size = 0;
    std::string field;
    const bool read =
        delimited ? stream.ReadVarint32(&size) && stream.ReadString(&field, size)
                  : WireFormatLite::SkipField(&stream, tag);
    if (!read) return InvalidArgumentError("no PredictionLog: bytes are missing");
    if (!delimited) continue;
    TF_RETURN_IF_ERROR(visit(WireFormatLite::GetTagFieldNumber(tag), field));
  }
  if (stream.ConsumedEntireMessage()) return absl::OkStatus();
  return InvalidArgumentError("no PredictionLog: it has an invalid field");
}

// PredictRequest.inputs is a map; on the wire an entry is a message: 1 key, 2 value.
Status ParseInput(const std::string& bytes, Request* request) {
  std::string name;
  tensorflow::TensorProto tensor;
  TF_RETURN_IF_ERROR(VisitFields(bytes, [&](int number, const std::string& field) {
    if (number == 1) name = field;
    if (number == 2 && !tensor.ParseFromString(field))
      return InvalidArgumentError("an input is no TensorProto");
    return absl::OkStatus();
  }));
  request->inputs[name] = std::move(tensor);
  return absl::OkStatus();
}

// PredictRequest: 1 model_spec (3 signature_name), 2 inputs.
Status ParsePredictRequest(const std::string& bytes, Request* request) {
  return VisitFields(bytes, [&](int number, const std::string& field) {
    if (number == 2) return ParseInput(field, request);
    if (number != 1) return absl::OkStatus();
    return VisitFields(field, [&](int number, const std::string& name) {
      if (number == 3) request->signature = name;
      return absl::OkStatus();
    });
  });
}

// PredictionLog: 6 predict_log (PredictLog: 1 request).
Status ParsePredictionLog(const std::string& bytes, Request* request) {
  bool found = false;
  TF_RETURN_IF_ERROR(VisitFields(bytes, [&](int number, const std::string& log) {
    if (number != 6) return absl::OkStatus();
    return VisitFields(log, [&](int number, const std::string& field) {
      if (number != 1) return absl::OkStatus();
      found = true;
      return ParsePredictRequest(field, request);
    });
  }));
  if (found) return absl::OkStatus();
  return InvalidArgumentError("no predict_log with a request");
}

Status ReadRequests(const std::string& path, std::vector<Request>* requests) {
  std::unique_ptr<tensorflow::RandomAccessFile> file;
  TF_RETURN_IF_ERROR(tensorflow::Env::Default()->NewRandomAccessFile(path, &file));
  tensorflow::io::SequentialRecordReader reader(file.get());
  tensorflow::tstring record;
  while (true) {
    const Status status = reader.ReadRecord(&record);
    if (absl::IsOutOfRange(status)) return absl::OkStatus();  // the end of the file
    TF_RETURN_IF_ERROR(status);
    if (requests->size() == kMostRequests)
      return InvalidArgumentError(StrCat("holds over ", kMostRequests, " requests"));
    const std::string where = StrCat("request ", requests->size());
    Request* request = &requests->emplace_back();
    TF_RETURN_IF_ERROR(
        Annotate(where, ParsePredictionLog(std::string(record), request)));
  }
}

// ---- answers ---------------------------------------------------------------------

template <typename Map>
std::string Names(const Map& map) {
  std::map<std::string, int> sorted;
  for (const auto& entry : map) sorted[entry.first];
  const auto format = [](std::string* out, const auto& entry) { *out += entry.first; };
  return StrCat("[", absl::StrJoin(sorted, ", ", format), "]");
}

Status CheckInput(const std::string& name, const TensorInfo& info,
                  const Tensor& input) {
  if (input.dtype() != info.dtype())
    return InvalidArgumentError(StrCat(
        "input '", name, "' must be ", DataTypeString(info.dtype()),
        ". Received: ", DataTypeString(input.dtype())));
  const tensorflow::PartialTensorShape shape(info.tensor_shape());
  if (!shape.IsCompatibleWith(input.shape()))
    return InvalidArgumentError(StrCat(
        "input '", name, "' must have the shape ", shape.DebugString(),
        ". Received: ", input.shape().DebugString()));
  return absl::OkStatus();
}

// Pairs the tensors of `request` with the names that they have in the graph.
Status MakeFeeds(const Request& request, const TensorInfos& infos,
                 std::vector<std::pair<std::string, Tensor>>* feeds) {
  if (Names(request.inputs) != Names(infos))
    return InvalidArgumentError(StrCat("the inputs must be ", Names(infos),
                                       ". Received: ", Names(request.inputs)));
  for (const auto& [name, proto] : request.inputs) {
    Tensor tensor;
    if (!tensor.FromProto(proto))
      return InvalidArgumentError(StrCat("input '", name, "' is no valid tensor"));
    TF_RETURN_IF_ERROR(CheckInput(name, infos.at(name), tensor));
    feeds->emplace_back(infos.at(name).name(), tensor);
  }
  return absl::OkStatus();
}

Status Answer(const tensorflow::SavedModelBundle& bundle, const Request& request,
              std::map<std::string, Tensor>* answers) {
  const auto& signatures = bundle.GetSignatures();
  const auto found = signatures.find(request.signature);
  if (found == signatures.end())
    return InvalidArgumentError(
        StrCat("no such signature; the model has ", Names(signatures)));
  const tensorflow::SignatureDef& signature = found->second;
  if (signature.method_name() != "tensorflow/serving/predict")
    return InvalidArgumentError(
        StrCat("its method is '", signature.method_name(), "', no Predict"));

  std::vector<std::pair<std::string, Tensor>> feeds;
  TF_RETURN_IF_ERROR(MakeFeeds(request, signature.inputs(), &feeds));
  std::vector<std::string> names, fetches;
  for (const auto& [name, info] : signature.outputs()) {
    names.push_back(name);
    fetches.push_back(info.name());
  }
  std::vector<Tensor> outputs;
  TF_RETURN_IF_ERROR(bundle.GetSession()->Run(feeds, fetches, {}, &outputs));
  for (size_t i = 0; i < names.size(); ++i) (*answers)[names[i]] = outputs[i];
  return absl::OkStatus();
}

Status Write(const std::string& prefix, const std::map<std::string, Tensor>& answers,
             tensorflow::io::RecordWriter* writer) {
  for (const auto& [name, tensor] : answers) {
    tensorflow::NamedTensorProto named;
    named.set_name(StrCat(prefix, "/", name));
    if (tensor.dtype() == tensorflow::DT_STRING)
      tensor.AsProtoField(named.mutable_tensor());
    else
      tensor.AsProtoTensorContent(named.mutable_tensor());
    TF_RETURN_IF_ERROR(writer->WriteRecord(named.SerializeAsString()));
  }
  return absl::OkStatus();
}

Status AnswerAll(const tensorflow::SavedModelBundle& bundle,
                 const std::vector<Request>& requests, const std::string& path) {
  std::unique_ptr<tensorflow::WritableFile> file;
  TF_RETURN_IF_ERROR(tensorflow::Env::Default()->NewWritableFile(path, &file));
  tensorflow::io::RecordWriter writer(file.get());
  for (size_t i = 0; i < requests.size(); ++i) {
    std::map<std::string, Tensor> answers;
    const std::string& signature = requests[i].signature;
    TF_RETURN_IF_ERROR(Annotate(StrCat("request ", i, " to '", signature, "'"),
                                Answer(bundle, requests[i], &answers)));
    TF_RETURN_IF_ERROR(Write(StrCat(i, "/", signature), answers, &writer));
  }
  TF_RETURN_IF_ERROR(writer.Close());
  return file->Close();
}

// The operations register themselves once their library is loaded. Linking with it, a
// file of 1 GB, would take as long as compiling.
Status LoadOperations() {
  if (dlopen("libtensorflow_cc.so.2", RTLD_NOW | RTLD_GLOBAL)) return absl::OkStatus();
  return absl::NotFoundError(dlerror());
}

Status Main(const std::string& version, const std::string& out) {
  TF_RETURN_IF_ERROR(LoadOperations());
  tensorflow::SavedModelBundle bundle;
  TF_RETURN_IF_ERROR(
      Annotate(StrCat("cannot load ", version),
               tensorflow::LoadSavedModel({}, {}, version, {"serve"}, &bundle)));
  std::vector<Request> requests;
  TF_RETURN_IF_ERROR(Annotate(version + kRequests,
                              ReadRequests(version + kRequests, &requests)));
  const std::string unfinished = out + ".unfinished";
  TF_RETURN_IF_ERROR(AnswerAll(bundle, requests, unfinished));
  return tensorflow::Env::Default()->RenameFile(unfinished, out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "loader: usage: loader VERSION_FOLDER OUT" << std::endl;
    return 2;
  }
  const Status status = Main(argv[1], argv[2]);
  if (status.ok()) return 0;
  const std::string line = absl::StrReplaceAll(status.ToString(), {{"\n", " "}});
  std::cerr << "loader: " << line << std::endl;
  return 1;
}
