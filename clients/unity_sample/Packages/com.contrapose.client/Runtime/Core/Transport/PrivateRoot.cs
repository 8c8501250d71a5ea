using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Contrapose.Core
{
    /// <summary>Trust in a root certificate of one's own (`contrapose certs dev` makes one), for servers in the
    /// same room. All else that is wrong with a certificate stays wrong.</summary>
    public static class PrivateRoot
    {
        public static RemoteCertificateValidationCallback Callback(X509Certificate2 root) =>
            (sender, certificate, chain, errors) => IsTrusted(root, certificate, errors);

        static bool IsTrusted(X509Certificate2 root, X509Certificate certificate, SslPolicyErrors errors)
        {
            if (errors == SslPolicyErrors.None) return true;
            if (errors != SslPolicyErrors.RemoteCertificateChainErrors || certificate == null) return false;
            using var own = new X509Chain();
            own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            own.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
            own.ChainPolicy.ExtraStore.Add(root);
            using var leaf = new X509Certificate2(certificate);
            if (!own.Build(leaf)) return false;
            var top = own.ChainElements[own.ChainElements.Count - 1].Certificate;
            return top.Thumbprint == root.Thumbprint;
        }
    }
}
