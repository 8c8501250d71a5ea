using System;

namespace Contrapose.Core
{
    /// <summary>Bytes that are no message: the only exception that reading one throws.</summary>
    public sealed class WireException : Exception
    {
        public WireException(string message) : base(message) { }
    }
}
