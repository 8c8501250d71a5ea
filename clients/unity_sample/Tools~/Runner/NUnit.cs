// The part of NUnit 3 that the package's tests use, so that the same files run in Unity's Test Runner,
// under `dotnet test` with NUnit itself, and here.
using System;
using System.Collections.Generic;

namespace NUnit.Framework
{
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TestAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
    public sealed class TestCaseAttribute : Attribute
    {
        public readonly object[] Arguments;

        public TestCaseAttribute(params object[] arguments) => Arguments = arguments;
    }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class SetUpAttribute : Attribute { }

    [AttributeUsage(AttributeTargets.Method)]
    public sealed class TearDownAttribute : Attribute { }

    public sealed class AssertionException : Exception
    {
        public AssertionException(string message) : base(message) { }
    }

    public sealed class IgnoreException : Exception
    {
        public IgnoreException(string message) : base(message) { }
    }

    public static class Assert
    {
        public static void Fail(string message) => throw new AssertionException(message);

        public static void Ignore(string message) => throw new IgnoreException(message);

        public static void IsTrue(bool condition, string message = "expected true")
        {
            if (!condition) Fail(message);
        }

        public static void IsFalse(bool condition, string message = "expected false") => IsTrue(!condition, message);

        public static void IsNull(object actual, string message = "expected null") => IsTrue(actual == null, message);

        public static void IsNotNull(object actual, string message = "unexpected null") => IsTrue(actual != null, message);

        public static void AreEqual(object expected, object actual, string message = "")
        {
            if (!Equals(expected, actual)) Fail($"expected {expected ?? "null"}, was {actual ?? "null"} {message}");
        }

        public static void AreEqual(double expected, double actual, double delta, string message = "")
        {
            if (!(Math.Abs(expected - actual) <= delta)) Fail($"expected {expected} +- {delta}, was {actual} {message}");
        }

        public static void AreNotEqual(object expected, object actual, string message = "")
        {
            if (Equals(expected, actual)) Fail($"expected anything but {expected ?? "null"} {message}");
        }

        public static void Less(double actual, double limit, string message = "")
        {
            if (!(actual < limit)) Fail($"expected less than {limit}, was {actual} {message}");
        }

        public static void LessOrEqual(double actual, double limit, string message = "")
        {
            if (!(actual <= limit)) Fail($"expected at most {limit}, was {actual} {message}");
        }

        public static void GreaterOrEqual(double actual, double limit, string message = "")
        {
            if (!(actual >= limit)) Fail($"expected at least {limit}, was {actual} {message}");
        }

        public static void Greater(double actual, double limit, string message = "")
        {
            if (!(actual > limit)) Fail($"expected more than {limit}, was {actual} {message}");
        }

        public static T Throws<T>(Action code) where T : Exception
        {
            try
            {
                code();
            }
            catch (T exception) when (exception.GetType() == typeof(T))
            {
                return exception;
            }
            catch (Exception exception)
            {
                throw new AssertionException($"expected {typeof(T).Name}, was {exception.GetType().Name}: {exception.Message}");
            }
            throw new AssertionException($"expected {typeof(T).Name}, nothing was thrown");
        }
    }
}
