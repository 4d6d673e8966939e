"""Two gRPC clients that have nothing of ours but the socket, run as programs of their own.

grpc_clients.py stubs  SOCKET FOLDER   plain stubs, generated into the folder from proto/
grpc_clients.py reflect SOCKET         no stubs: everything comes from server reflection
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

# A foreign program does not know of our channel options: what gRPC does by default has to do.


def stubs(socket: str, folder: str) -> dict[str, Any]:
    """List, read, and look at the tree with stubs as protoc makes them."""
    sys.path.insert(0, folder)
    readers_pb2, cards_pb2, tree_pb2 = (
        importlib.import_module(f"cardea.v1.{name}_pb2") for name in ("readers", "cards", "tree")
    )
    readers, cards, tree = (
        importlib.import_module(f"cardea.v1.{name}_pb2_grpc")
        for name in ("readers", "cards", "tree")
    )
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        listed = readers.ReaderServiceStub(channel).ListReaders(readers_pb2.ListReadersRequest())
        request = cards_pb2.ReadFileRequest(file=cards_pb2.FileRef(known="EF.ICCID"))
        read = cards.CardServiceStub(channel).ReadFile(request)
        node = tree.TreeServiceStub(channel).GetNode(tree_pb2.GetNodeRequest(path="./DevInfo/Man"))
        watch = readers.ReaderServiceStub(channel).WatchReaders(readers_pb2.WatchReadersRequest())
        first = next(iter(watch))
        watch.cancel()
        try:
            cards.CardServiceStub(channel).ReadFile(
                cards_pb2.ReadFileRequest(file=cards_pb2.FileRef(known="EF.NONE"))
            )
            code = "OK"
        except grpc.RpcError as error:
            code = error.code().name
    return {
        "readers": [reader.pcsc_name for reader in listed.readers],
        "file": read.content.data.hex() if hasattr(read.content, "data") else str(read),
        "node": node.node.value.decode(),
        "watched": bool(str(first)),
        "code": code,
    }


def reflect(socket: str) -> dict[str, Any]:
    """As grpcurl: list services, fetch descriptors, call by name with JSON."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)

        def ask(**question: Any) -> Any:
            messages: Any = reflection_pb2
            request = messages.ServerReflectionRequest(**question)
            return next(iter(stub.ServerReflectionInfo(iter([request]))))

        listed = ask(list_services="").list_services_response.service
        services = [service.name for service in listed]
        pool = descriptor_pool.DescriptorPool()
        known: set[str] = set()

        def load(raw: Iterator[bytes]) -> None:
            for data in raw:
                file = descriptor_pb2.FileDescriptorProto.FromString(data)
                if file.name in known:
                    continue
                known.add(file.name)
                for needed in file.dependency:
                    if needed not in known:
                        answer = ask(file_by_filename=needed).file_descriptor_response
                        load(answer.file_descriptor_proto)
                pool.Add(file)

        results = {}
        for method in (
            "cardea.v1.ReaderService/ListReaders",
            "cardea.v1.CardService/GetCard",
            "cardea.v1.ManagementService/ListAccounts",
            "grpc.health.v1.Health/Check",
        ):
            service, _, name = method.partition("/")
            load(ask(file_containing_symbol=service).file_descriptor_response.file_descriptor_proto)
            found = pool.FindServiceByName(service).FindMethodByName(name)
            request = message_factory.GetMessageClass(found.input_type)
            answer = message_factory.GetMessageClass(found.output_type)
            call: Any = channel.unary_unary(
                f"/{method}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=answer.FromString,
            )
            results[method] = json_format.MessageToDict(
                call(json_format.ParseDict({}, request()), timeout=60)
            )
    return {"services": services, "results": results}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
