using Contrapose.Unity;
using UnityEngine;

namespace Contrapose.Samples
{
    /// <summary>Four pairs at one server: four recorded players, four sessions, four partners.</summary>
    public sealed class DanceFloor : MonoBehaviour
    {
        const int Pairs = 4;
        const float Apart = 4;

        [Tooltip("Where the server is.")]
        public string address = "ws://127.0.0.1:50052";

        [Tooltip("The recorded player.")]
        public TextAsset recording;

        [Tooltip("What the pairs do.")]
        public string words = "they dance together";

        void Start()
        {
            Stage.Build();
            Stage.Eye(new Vector3(0, 4, -9), Vector3.zero);
            for (var pair = 0; pair < Pairs; pair++) Open(pair);
        }

        void Open(int pair)
        {
            var session = Stage.Session("Pair " + (pair + 1), address);
            session.transform.position = new Vector3(Apart * (pair % 2 - 0.5f), 0, Apart * (pair / 2 - 0.5f));
            session.transform.rotation = Quaternion.Euler(0, 90 * pair, 0);
            session.words = words;
            var player = session.gameObject.AddComponent<RecordedPlayer>();
            player.recording = recording;
            session.player = player;
            if (pair == 0) session.gameObject.AddComponent<ContraposeHud>().session = session;
            session.gameObject.SetActive(true);
            Stage.Partner(session);
        }
    }
}
