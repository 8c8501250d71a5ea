using System;
using System.Net;
using System.Net.Http;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Tasks;
using Contrapose.V1;

namespace Contrapose.Core
{
    /// <summary>Asks a server what it is and may do, without a session.</summary>
    public static class ServerQuestion
    {
        const string Path = "/v1/info", Protobuf = "application/x-protobuf";
        const double PatienceSeconds = 5;

        /// <param name="address">ws://HOST:PORT or wss://HOST:PORT, as of a session</param>
        /// <param name="token">bearer token; empty: none</param>
        /// <param name="root">a private root certificate to trust beside the system's; null: none</param>
        /// <exception cref="ArgumentException">The address is no such address.</exception>
        /// <exception cref="InvalidOperationException">The server refuses to answer; the text says why.</exception>
        /// <exception cref="HttpRequestException">Nothing answers there, or its certificate is not trusted.</exception>
        /// <exception cref="WireException">What came is no answer.</exception>
        public static async Task<GetServerInfoResponse> AskAsync(string address, string token = "", X509Certificate2 root = null)
        {
            using var handler = new HttpClientHandler();
            if (root != null) handler.ServerCertificateCustomValidationCallback = PrivateRoot.Callback(root).Invoke;
            using var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(PatienceSeconds) };
            using var request = new HttpRequestMessage(HttpMethod.Get, Of(address));
            request.Headers.TryAddWithoutValidation("accept", Protobuf);
            if (!string.IsNullOrEmpty(token)) request.Headers.TryAddWithoutValidation("authorization", "Bearer " + token);
            using var response = await SendAsync(client, request).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.Unauthorized)
                throw new InvalidOperationException("the server asks for a token: `contrapose token new NAME` prints one");
            if (!response.IsSuccessStatusCode)
                throw new InvalidOperationException($"the server answers with HTTP status {(int)response.StatusCode}");
            if (response.Content.Headers.ContentType?.MediaType != Protobuf)
                throw new InvalidOperationException("no Contrapose server answers there, or one of an older version");
            return Read(await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false));
        }

        static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpRequestMessage request)
        {
            try
            {
                return await client.SendAsync(request).ConfigureAwait(false);
            }
            catch (HttpRequestException exception)
            {
                throw new HttpRequestException(QueuedTransport.Innermost(exception).Message, exception);
            }
            catch (OperationCanceledException exception)
            {
                throw new HttpRequestException($"nothing answers at {request.RequestUri.Authority} within {PatienceSeconds} s: is a firewall between?", exception);
            }
        }

        static GetServerInfoResponse Read(byte[] answer)
        {
            var info = new GetServerInfoResponse();
            info.ReadFrom(new WireReader(answer));
            return info;
        }

        static Uri Of(string address)
        {
            if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || (uri.Scheme != "ws" && uri.Scheme != "wss"))
                throw new ArgumentException($"address \"{address}\": expected ws://HOST:PORT or wss://HOST:PORT");
            return new UriBuilder(uri) { Scheme = uri.Scheme == "ws" ? "http" : "https", Path = Path }.Uri;
        }
    }
}
