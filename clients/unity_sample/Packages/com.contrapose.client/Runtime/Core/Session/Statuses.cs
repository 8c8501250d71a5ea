namespace Contrapose.Core
{
    /// <summary>gRPC's numbers, as far as a session behaves differently for them.</summary>
    public static class Statuses
    {
        public const int InvalidArgument = 3, NotFound = 5, AlreadyExists = 6, PermissionDenied = 7,
            ResourceExhausted = 8, FailedPrecondition = 9, Aborted = 10, Unimplemented = 12, Internal = 13,
            Unavailable = 14, Unauthenticated = 16;

        /// <summary>Whether asking again without a change cannot succeed.</summary>
        public static bool IsFinal(int status)
        {
            switch (status)
            {
                case InvalidArgument:
                case NotFound:
                case AlreadyExists:
                case PermissionDenied:
                case FailedPrecondition:
                case Unimplemented:
                case Unauthenticated:
                    return true;
                default:
                    return false;
            }
        }
    }
}
