using System;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;

namespace Contrapose.Core
{
    /// <summary>The transport that an address asks for: ws:// and wss:// WebSocket, http:// and https:// gRPC.</summary>
    public static class Transports
    {
        /// <param name="grpcHandler">makes a handler that speaks HTTP/2, for addresses of gRPC</param>
        /// <exception cref="ArgumentException">The address is none, or has a scheme that is not known.</exception>
        public static ITransport Create(
            string address, string token = "", X509Certificate2 root = null, Func<HttpMessageHandler> grpcHandler = null)
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var uri))
                throw new ArgumentException($"address \"{address}\": expected ws://HOST:PORT, as in ws://127.0.0.1:50052");
            switch (uri.Scheme)
            {
                case "ws":
                case "wss":
                    return new WebSocketTransport(uri, token, root);
                case "http":
                case "https":
                    if (grpcHandler == null)
                        throw new ArgumentException($"address \"{address}\": gRPC needs a handler that speaks HTTP/2; set GrpcHandler, or use ws://");
                    return new GrpcTransport(uri, grpcHandler(), token);
                default:
                    throw new ArgumentException($"address \"{address}\": expected ws://, wss://, http:// or https://");
            }
        }
    }
}
