using System;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Threading;
using System.Threading.Tasks;

namespace Contrapose.Core
{
    /// <summary>gRPC over HTTP/2, by any handler that can do it: http:// and https://. Unity's own cannot; give
    /// YetAnotherHttpHandler, or another one.</summary>
    public sealed class GrpcTransport : QueuedTransport
    {
        const string Path = "/contrapose.v1.InteractionService/StreamInteraction";
        const string TrailersProperty = "__ResponseTrailers";
        const int PrefixBytes = 5;

        readonly HttpClient client;
        readonly HttpRequestMessage request;
        readonly TaskCompletionSource<Stream> requestStream =
            new TaskCompletionSource<Stream>(TaskCreationOptions.RunContinuationsAsynchronously);
        readonly TaskCompletionSource<bool> requestOver =
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        byte[] outgoing = new byte[4096];
        byte[] incoming = new byte[64 << 10];

        /// <param name="handler">speaks HTTP/2; without TLS it has to know that without asking</param>
        public GrpcTransport(Uri address, HttpMessageHandler handler, string token = "")
        {
            client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
            request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, Path))
            {
                Version = HttpVersion.Version20,
                Content = new Duplex(this),
            };
            request.Headers.TryAddWithoutValidation("te", "trailers");
            if (!string.IsNullOrEmpty(token)) request.Headers.TryAddWithoutValidation("authorization", "Bearer " + token);
        }

        protected override async Task<Closing> ConnectAsync(CancellationToken stop)
        {
            var answer = client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            var ready = await Task.WhenAny(requestStream.Task, answer).ConfigureAwait(false);
            if (ready == answer) return Ended(await answer.ConfigureAwait(false));
            var sending = OpenedAsync(stop);
            using var response = await answer.ConfigureAwait(false);
            using var body = await response.Content.ReadAsStreamAsync().ConfigureAwait(false);
            while (await FillAsync(body, PrefixBytes, stop).ConfigureAwait(false))
            {
                var length = (incoming[1] << 24) | (incoming[2] << 16) | (incoming[3] << 8) | incoming[4];
                if (length < 0 || length > MostBytes) return new Closing(-1, "the server sent a message of over 4 MB");
                if (!await FillAsync(body, length, stop).ConfigureAwait(false)) break;
                await ArrivedAsync(new ReadOnlyMemory<byte>(incoming, 0, length), stop).ConfigureAwait(false);
            }
            if (sending.IsFaulted) await sending.ConfigureAwait(false);
            return Ended(response);
        }

        async Task<bool> FillAsync(Stream body, int length, CancellationToken stop)
        {
            if (incoming.Length < length) incoming = new byte[Math.Max(length, 2 * incoming.Length)];
            for (var at = 0; at < length;)
            {
                var count = await body.ReadAsync(new Memory<byte>(incoming, at, length - at), stop).ConfigureAwait(false);
                if (count == 0) return false;
                at += count;
            }
            return true;
        }

        static Closing Ended(HttpResponseMessage response)
        {
            var status = Trailer(response, "grpc-status");
            if (status == null) return new Closing(-1, "the connection was closed (HTTP " + (int)response.StatusCode + ")");
            return new Closing(int.Parse(status), Uri.UnescapeDataString(Trailer(response, "grpc-message") ?? ""));
        }

        /// <summary>From the trailers, where an older handler leaves them, or, if nothing else was sent, from the
        /// headers.</summary>
        static string Trailer(HttpResponseMessage response, string name)
        {
            if (First(response.TrailingHeaders, name) is string trailing) return trailing;
            if (response.RequestMessage != null
                && response.RequestMessage.Properties.TryGetValue(TrailersProperty, out var older)
                && older is HttpHeaders headers
                && First(headers, name) is string property)
                return property;
            return First(response.Headers, name);
        }

        static string First(HttpHeaders headers, string name)
        {
            if (headers.TryGetValues(name, out var values))
                foreach (var value in values) return value;
            return null;
        }

        protected override async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken stop)
        {
            var stream = await requestStream.Task.ConfigureAwait(false);
            var length = message.Length;
            if (outgoing.Length < PrefixBytes + length) outgoing = new byte[2 * (PrefixBytes + length)];
            outgoing[0] = 0;
            for (var i = 0; i < 4; i++) outgoing[1 + i] = (byte)(length >> (24 - 8 * i));
            message.Span.CopyTo(new Span<byte>(outgoing, PrefixBytes, length));
            await stream.WriteAsync(new ReadOnlyMemory<byte>(outgoing, 0, PrefixBytes + length), stop).ConfigureAwait(false);
            await stream.FlushAsync(stop).ConfigureAwait(false);
        }

        protected override Task EndAsync(CancellationToken stop)
        {
            requestOver.TrySetResult(true);
            return Task.CompletedTask;
        }

        protected override void Abort()
        {
            requestStream.TrySetCanceled();
            requestOver.TrySetCanceled();
            client.Dispose();
        }

        /// <summary>A body that is written for as long as the call lasts.</summary>
        sealed class Duplex : HttpContent
        {
            readonly GrpcTransport owner;

            public Duplex(GrpcTransport owner)
            {
                this.owner = owner;
                Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            }

            protected override Task SerializeToStreamAsync(Stream stream, TransportContext context)
            {
                owner.requestStream.TrySetResult(stream);
                return owner.requestOver.Task;
            }

            protected override bool TryComputeLength(out long length)
            {
                length = -1;
                return false;
            }
        }
    }
}
